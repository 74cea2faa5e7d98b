"""Reading a store."""

from __future__ import annotations

import difflib
import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from embedpipe.dataflow import Unit, ViewInfo
from embedpipe.errors import FeaturesError
from embedpipe.store import format as names
from embedpipe.store.columns import range_at, read_offsets
from embedpipe.store.id_index import find_ids
from embedpipe.store.manifest import ShardRecord
from embedpipe.store.matrix import ViewMatrix
from embedpipe.store.remote import LocalCopy, is_url
from embedpipe.store.sentence import StoredSentence, read_sentences
from embedpipe.store.sentence_ids import SENTENCES_A_READ, SentenceIds, within
from embedpipe.store.store_file import StoreFile
from embedpipe.store.summary import StoreSummary, summarize

if TYPE_CHECKING:
    import pandas as pd

    from embedpipe.dataflow import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """The values of a label.

    :param unit: What has a value.
    :param vocabulary: The values, each once.
    :param codes: Of each word or sentence, its value's place in the vocabulary; -1 where there is none. *Shape:* ``(n,)``.
    """

    unit: Unit
    vocabulary: tuple[str, ...]
    codes: IntArray


def open_store(path: str | os.PathLike[str]) -> Store:
    """Open a store for reading. Nothing is loaded before it is asked for.

    :param path: Of its file; or a URL such as ``s3://bucket/features.h5``, of which a copy is kept on this machine, in
        ``$XDG_CACHE_HOME``: the file itself, and each shard from when it is first read.
    :raises StoreError: If there is no such file, or it is not readable.
    :raises NotAStoreError: If the file is something else.
    :raises FormatVersionError: If a newer embedpipe wrote it.
    :raises DamagedStoreError: If it is cut off or broken.
    """
    return Store(path)


class Store(Sequence[StoredSentence]):
    """A store, open for reading: a sequence of its sentences, with the vectors of each view beside it.

    It can be used as a context manager, pickled and sent to workers (they open it again), and read after a fork.

    :param path: The file, or a URL.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        copy = LocalCopy(str(path)) if is_url(path) else None
        self.path = Path(path) if copy is None else copy.path
        self._again = self.path.absolute() if copy is None else str(path)  # the working directory may change
        self.file = StoreFile(self.path, None if copy is None else copy.fetch)

    @property
    def source(self) -> str:
        """Where it is: its path as it was given, or its URL, of which ``path`` is a copy."""
        return self._again if isinstance(self._again, str) else str(self.path)

    @property
    def format_version(self) -> int:
        """Version of the format of the file."""
        return self.file.format_version

    @property
    def views(self) -> Mapping[str, ViewInfo]:
        """What each view holds, by name, in the order in which they were written (jsonnet sorts the names of a config)."""
        return MappingProxyType(dict(self.file.structure.views))

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels of sentences and words."""
        return tuple(self.file.structure.labels)

    @property
    def ids(self) -> SentenceIds:
        """The ids of the sentences, in order; they are read as they are asked for."""
        return SentenceIds(self.file)

    @property
    def num_words(self) -> int:
        """Words of all sentences: the rows of a word view."""
        return self.file.structure.counts["num_words"]

    @property
    def num_subwords(self) -> int:
        """Subwords of all sentences: the rows of a subword view."""
        return self.file.structure.counts["num_subwords"]

    @property
    def has_pairs(self) -> bool:
        """Whether any of its sentences is a pair of texts."""
        return self.file.structure.has_pairs

    @property
    def shards(self) -> tuple[ShardRecord, ...]:
        """The files that hold the vectors, in the order of their sentences; none where the store is a single file."""
        return self.file.shards

    @property
    def shards_to_fetch(self) -> tuple[ShardRecord, ...]:
        """Of a store at a URL, the shards that are not on this machine yet."""
        return self.file.shards_to_fetch

    @property
    def size_bytes(self) -> int:
        """Bytes of the file and its shards."""
        return self.path.stat().st_size + sum(shard.size_bytes for shard in self.shards)

    @property
    def provenance(self) -> dict[str, Any]:
        """How the store was made."""
        return self.file.json(names.PROVENANCE)

    def __len__(self) -> int:
        return self.file.structure.counts["num_sentences"]

    @overload
    def __getitem__(self, key: int | str) -> StoredSentence: ...
    @overload
    def __getitem__(self, key: slice) -> list[StoredSentence]: ...
    def __getitem__(self, key: int | str | slice) -> StoredSentence | list[StoredSentence]:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return read_sentences(self.file, start, stop)
            return [self[index] for index in range(start, stop, step)]
        index = self.index_of(key)
        return read_sentences(self.file, index, index + 1)[0]

    def __iter__(self) -> Iterator[StoredSentence]:
        for start in range(0, len(self), SENTENCES_A_READ):
            yield from read_sentences(self.file, start, min(start + SENTENCES_A_READ, len(self)))

    def __contains__(self, sentence: object) -> bool:
        """Whether the store has a sentence of this id, or this very sentence."""
        id = sentence.id if isinstance(sentence, StoredSentence) else sentence
        return id in self.ids and (isinstance(sentence, str) or self[str(id)] == sentence)

    def index_of(self, sentence: str | int | StoredSentence) -> int:
        """Number of a sentence, given its id, its number (negative from the end) or itself.

        :raises FeaturesError: If the store has no sentence of that id.
        :raises IndexError: If the number is out of range.
        """
        if isinstance(sentence, str):
            return int(self.indices([sentence])[0])
        if isinstance(sentence, StoredSentence):  # it may be of another store
            known = sentence.index < len(self) and self.ids[sentence.index] == sentence.id
            return sentence.index if known else self.index_of(sentence.id)
        return within(operator.index(sentence), len(self), f"the store {self.source}")

    def indices(self, ids: Iterable[str]) -> IntArray:
        """Numbers of the sentences with these ids. *Shape:* ``(num_ids,)``, int64.

        :raises FeaturesError: If the store has no sentence of one of the ids.
        """
        wanted = list(ids)
        found = find_ids(self.file, wanted)
        missing = [id for id, index in zip(wanted, found.tolist(), strict=True) if index < 0]
        if missing:
            count = f" ({len(missing):,} of the {len(wanted):,} ids asked for are not there)" if len(wanted) > 1 else ""
            example = f", such as {self.ids[0]!r}" if len(self) else ""
            raise FeaturesError(f"{self.source} has no sentence {missing[0]!r}{count}. It has {len(self):,} ids{example}.")
        return found

    def rows(self, view: str, sentence: str | int | StoredSentence) -> slice:
        """Rows of a sentence in a view.

        :param view: Name of a view; or ``"word"``, ``"subword"`` or ``"sentence"`` for any view of that unit.
        """
        unit = view if view in names.ROWS and view not in self.file.structure.views else self._view(view).unit
        index = self.index_of(sentence)
        if unit == "sentence":
            return slice(index, index + 1)
        column = self.file.column(names.WORD_OFFSETS if unit == "word" else names.SUBWORD_OFFSETS)
        return slice(*range_at(column, index))

    def vectors(self, view: str, sentence: str | int | StoredSentence) -> FloatArray:
        """The vectors of a sentence.

        :param view: Name of a view.
        :param sentence: Its id, its number, or itself.
        :returns: *Shape:* ``(num_words, vector_size)`` for a word view, ``(num_subwords, vector_size)`` for a subword view,
            ``(vector_size,)`` for a sentence view; a stacked view has ``(num_layers, vector_size)`` for ``vector_size``.
        :raises FeaturesError: If the store has no such view or sentence.
        """
        info = self._view(view)
        rows = self.rows(view, sentence)
        vectors = ViewMatrix(self, view).read(rows.start, rows.stop)
        return vectors[0] if info.unit == "sentence" else vectors

    def offsets(self, unit: Unit) -> IntArray:
        """Where the rows of each sentence start, for any view of the unit. *Shape:* ``(num_sentences + 1,)``, int64."""
        if unit == "sentence":
            return np.arange(len(self) + 1, dtype=np.int64)
        column = self.file.column(names.WORD_OFFSETS if unit == "word" else names.SUBWORD_OFFSETS)
        return read_offsets(column, 0, len(self))

    def label(self, name: str) -> StoredLabel:
        """All values of a label, as codes.

        :raises FeaturesError: If the store has no such label.
        """
        if (info := self.file.structure.labels.get(name)) is None:
            raise FeaturesError(f"{self.source} has no label {name!r}. It has: {', '.join(self.label_names) or 'none'}.")
        codes = self.file.column(f"{info.group}/{names.LABEL_CODES}")
        return StoredLabel(info.unit, tuple(self.file.vocabulary(name)), codes.read(0, len(codes)).astype(np.int64))

    def matrix(self, view: str) -> ViewMatrix:
        """All rows of a view, which are read as they are asked for.

        :raises FeaturesError: If the store has no such view.
        """
        self._view(view)
        return ViewMatrix(self, view)

    def summary(self, *, flags: bool = True) -> StoreSummary:
        """How many documents, sentences, words, subwords and flags there are, and the labels with their values.

        :param flags: Whether to count the flags, which are in the shards: those of a store at a URL are fetched for it.
        """
        return summarize(self.file, flags=flags)

    def words_frame(self) -> pd.DataFrame:
        """One line a word: sentence_id, document, row (in word views), word_index, word, a column a word label, flags.

        Where sentences are pairs of texts there is also ``text``: 1 for a word of the first one, 2 for one of the second.
        """
        from embedpipe.store.frames import words_frame

        return words_frame(self.file)

    def subwords_frame(self) -> pd.DataFrame:
        """One line a subword: sentence_id, document, row (in subword views), subword_index, subword_id, and of the first word
        that it is of, what :meth:`words_frame` says: word_index, word, word labels, flags. They are missing where a subword is
        of no word: where it stands for a space, for instance.
        """
        from embedpipe.store.frames import subwords_frame

        return subwords_frame(self.file)

    def sentences_frame(self) -> pd.DataFrame:
        """One line a sentence: sentence_id, document, row (in sentence views), text, num_words, num_subwords, labels, flags.

        Where sentences are pairs of texts, ``text`` is the first one, and ``second`` the other.
        """
        from embedpipe.store.frames import sentences_frame

        return sentences_frame(self.file)

    def close(self) -> None:
        """Close the file. Vectors and sentences that were read stay valid."""
        self.file.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> Any:
        return open_store, (self._again,)

    def __repr__(self) -> str:
        views = ", ".join(self.views) or "none"
        return f"<Store {self.source!r}: {len(self):,} sentences, {self.num_words:,} words, views: {views}>"

    def _view(self, name: str) -> ViewInfo:
        if (info := self.file.structure.views.get(name)) is None:
            near = difflib.get_close_matches(str(name), self.views, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise FeaturesError(f"{self.source} has no view {name!r}.{hint} It has: {', '.join(self.views) or 'none'}.")
        return info
