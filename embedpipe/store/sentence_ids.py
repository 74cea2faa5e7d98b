"""The ids of a store's sentences, as a sequence that is on the disk."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from embedpipe.store.format import SENTENCE_ID
from embedpipe.store.id_index import find_ids

if TYPE_CHECKING:
    from embedpipe.store.sealed import SealedFile

SENTENCES_A_READ = 256


class SentenceIds(Sequence[str]):
    """The ids of a store's sentences, on the disk."""

    def __init__(self, file: SealedFile) -> None:
        self._file = file
        self._text = file.text(SENTENCE_ID)

    def __len__(self) -> int:
        return len(self._text)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            low, high = (start, stop) if step > 0 else (stop + 1, start + 1)
            return self._text.read(low, max(low, high))[::step] if low < high else []
        index = within(operator.index(key), len(self), "the store")
        return self._text.read(index, index + 1)[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), SENTENCES_A_READ):
            yield from self._text.read(start, min(start + SENTENCES_A_READ, len(self)))

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and bool(find_ids(self._file, [id])[0] >= 0)

    def index(self, id: str, start: int = 0, stop: int | None = None) -> int:
        """Number of the sentence with this id."""
        found = int(find_ids(self._file, [id])[0])
        if found < 0 or not start <= found < (len(self) if stop is None else stop):
            raise ValueError(f"{id!r} is not among the ids")
        return found

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"<{len(self):,} sentence ids: {shown}{', ...' if len(self) > 3 else ''}>"


def within(index: int, length: int, what: str) -> int:
    """An index counted from 0, where it was counted from the end.

    :raises IndexError: If it is out of range.
    """
    if not -length <= index < length:
        raise IndexError(f"sentence {index} is out of range: {what} has {length:,} sentences")
    return index % length
