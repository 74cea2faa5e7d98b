"""What a writer knows of the sentences that are committed: their ids, the units of their labels, and which have no vectors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from embedpipe.errors import StoreError
from embedpipe.store import format as names
from embedpipe.store.id_index import GrowingIdIndex, hash_ids
from embedpipe.store.sealed import SealedFile

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray, Unit
    from embedpipe.store.id_index import HashArray
    from embedpipe.store.made import Sentences


class KnownSentences:
    """Grows with every shard, by 16 bytes a sentence.

    :param file_of: Gives the file that a sentence is in, and the number of that file's first one.
    """

    def __init__(self, file_of: Callable[[int], tuple[Path, int]]) -> None:
        self._file_of = file_of
        self._units: dict[str, Unit] = {}
        self._ids = GrowingIdIndex(self._id_at)
        self._failures: dict[int, dict[str, str]] = {}

    def learn(self, file: SealedFile, start: int) -> None:
        """Read what is in a file, whose first sentence is number ``start``."""
        self._units.update({name: info.unit for name, info in file.structure.labels.items()})
        ids = file.text(names.SENTENCE_ID).read(0, file.structure.counts["num_sentences"])
        if failures := file.json(names.PROVENANCE).get("failures"):
            self._failures[start] = failures
        hashes = hash_ids(ids)
        self._ids.check(ids, hashes, start)
        self._ids.add(hashes, start)

    def check(self, new: Sentences) -> None:
        """Check that sentences agree with those that are known.

        :raises StoreError: If one of their ids is known, or a label is of another unit.
        """
        for name, unit in new.labels.items():
            if unit != (expected := self._units.get(name, unit)):
                raise StoreError(
                    f"cannot store the sentences from {new.ids[0]!r} on: their label {name!r} is one a {unit} here and was one "
                    f"a {expected} before."
                )
        self._ids.check(new.ids, new.id_hashes, new.start)

    def add(self, new: Sentences) -> None:
        """Know sentences that were checked."""
        if new.failures:
            self._failures[new.start] = dict(new.failures)
        self._units.update(new.labels)
        self._ids.add(new.id_hashes, new.start)

    def failures_of(self, start: int) -> dict[str, str]:
        """By id, why sentences of the shard that begins at ``start`` have no vectors."""
        return self._failures.get(start, {})

    @property
    def failures(self) -> dict[str, str]:
        """Of all of them, in the order of the sentences."""
        return {id: reason for _, failures in sorted(self._failures.items()) for id, reason in failures.items()}

    def id_index(self) -> tuple[HashArray, IntArray]:
        """The hashes of all ids in ascending order, and the sentence of each."""
        return self._ids.sorted()

    def _id_at(self, sentence: int) -> str:
        path, start = self._file_of(sentence)
        with contextlib.closing(SealedFile(path)) as file:
            return file.text(names.SENTENCE_ID).read(sentence - start, sentence - start + 1)[0]
