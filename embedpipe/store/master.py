"""The file at the store's own path, made of the shards.

A master holds what changes where shards are put together: offsets, documents, the index of ids, label codes. Everything else
it takes from the shards by virtual datasets. A store of one shard may have everything in its one file instead. Either is
written front to back in one go, and columns are read from the shards a piece at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from embedpipe.dataflow import Unit, ViewInfo
from embedpipe.errors import StoreError
from embedpipe.store import format as names
from embedpipe.store.checksums import ChecksummedImage
from embedpipe.store.contents import add_attributes, add_column, add_json, add_label, add_views, view_path
from embedpipe.store.durable import write_file
from embedpipe.store.format import Count
from embedpipe.store.image import FileImage
from embedpipe.store.labels import Vocabulary
from embedpipe.store.manifest import Manifest, ShardRecord
from embedpipe.store.structure import LabelInfo
from embedpipe.store.table import table_as_json
from embedpipe.store.text import unpack

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.store.id_index import HashArray

    Array = np.ndarray[Any, Any]


class Shards(Protocol):
    """What a master is made of; shards are meant by their index."""

    @property
    def records(self) -> tuple[ShardRecord, ...]:
        """In the order of their sentences."""

    def labels(self, index: int) -> Mapping[str, LabelInfo]:
        """The labels of a shard, in their order."""

    def has_pairs(self, index: int) -> bool:
        """Whether a sentence of a shard may be a pair of texts."""

    def num_rows(self, index: int, name: str) -> int:
        """Length of a dataset of a shard."""

    def pieces(self, index: int, name: str, start: int, stop: int) -> Iterator[Array]:
        """Some rows of a dataset of a shard, in arrays of any lengths."""


def write_master(
    partial: Path,
    shards: Shards,
    folder: Path,
    manifest: Manifest,
    views: Mapping[str, ViewInfo],
    id_index: tuple[HashArray, IntArray],
    provenance: Mapping[str, Any],
    *,
    is_single: bool,
) -> None:
    """Write the file of the whole store.

    :param folder: Of the shards.
    :param id_index: The hashes of all ids in ascending order, and the sentence of each.
    :param is_single: Put everything into this file, and leave nothing to the shards.
    :raises StoreError: If a shard is damaged, or a label is one a word in one shard and one a sentence in another.
    """
    master = _Master(shards, folder.name, views)
    write_file(partial, master.image(manifest, id_index, provenance, is_single=is_single).pieces(), "store")


@dataclass(slots=True)
class _Label:
    """A label of the whole store, and what its codes in each shard are in the master; ``None`` for a shard without it."""

    unit: Unit
    vocabulary: Vocabulary
    codes: list[Array | None]


class _Master:
    def __init__(self, shards: Shards, folder: str, views: Mapping[str, ViewInfo]) -> None:
        self._shards = shards
        self._folder = folder
        self._views = views
        self._indexes = range(len(shards.records))
        self._documents: list[tuple[int, int]] = []
        self._labels: dict[str, _Label] = {}
        self._ends: dict[str, list[tuple[int, int]]] = {name: [] for name in names.TEXTS}
        """By text, where in the bytes of each shard the strings begin and end that are taken from it."""
        last: list[str] = []
        for index in self._indexes:  # all at once, as every shard has to be opened for it
            last = self._merge_documents(index, last)
            self._merge_labels(index)
            self._find_ends(index)
        records = shards.records
        self._counts: dict[Count, int] = {
            "num_documents": sum(len(range(first, end)) for first, end in self._documents),
            "num_sentences": sum(record.num_sentences for record in records),
            "num_words": sum(record.num_words for record in records),
            "num_subwords": sum(record.num_subwords for record in records),
        }

    def image(
        self, manifest: Manifest, id_index: tuple[HashArray, IntArray], provenance: Mapping[str, Any], *, is_single: bool
    ) -> FileImage:
        image, counts = ChecksummedImage(), self._counts
        self._add_text(image, names.DOCUMENT_ID, self._documents)
        everything = [(0, record.num_sentences) for record in self._shards.records]
        self._add_text(image, names.SENTENCE_ID, everything)
        self._add_text(image, names.SENTENCE_TEXT, everything, in_shards=not is_single)
        add_column(image, names.DOCUMENT_INDEX, counts, self._document_index())
        for name in (names.WORD_OFFSETS, names.SUBWORD_OFFSETS):
            add_column(image, name, counts, self._offsets(name, everything))
        add_column(image, names.ID_HASHES, counts, [id_index[0]])
        add_column(image, names.ID_ORDER, counts, [id_index[1]])
        for name, count in names.IN_SHARDS.items():
            if count and is_single:
                add_column(image, name, counts, self._rows(name))
            elif count:
                layout = names.COLUMNS[name]
                image.add_virtual(name, layout.dtype, layout.shape(counts), self._sources(count))
        if any(self._shards.has_pairs(index) for index in self._indexes):
            add_column(image, names.SECOND_START, counts, self._second_starts())
        for name, label in self._labels.items():
            num_rows = counts[names.ROWS[label.unit]]
            add_label(image, name, label.unit, self._codes(name, label), num_rows, list(label.vocabulary))
        add_json(image, names.PROVENANCE, provenance)
        if not is_single:
            add_json(image, names.SHARDS, table_as_json(manifest.origin, manifest.shards))
        rows = {name: self._rows(view_path(name)) for name in self._views}
        sources = None if is_single else {unit: self._sources(count) for unit, count in names.ROWS.items()}
        add_views(image, self._views, counts, rows, sources)
        add_attributes(image, counts)
        return image

    def _rows(self, name: str) -> Iterator[Array]:
        """The rows of a dataset, of all shards."""
        for index in self._indexes:
            yield from self._shards.pieces(index, name, 0, self._shards.num_rows(index, name))

    def _read(self, index: int, name: str, start: int, stop: int) -> Array:
        """A few rows."""
        pieces = list(self._shards.pieces(index, name, start, stop))
        return np.concatenate(pieces) if pieces else np.empty(0, np.uint8)

    def _offsets(self, name: str, ranges: list[tuple[int, int]]) -> Iterator[Array]:
        """Offsets of some ranges of each shard, from 0 on through all of them."""
        yield np.zeros(1, names.OFFSET)
        end = 0
        for index, (start, stop) in zip(self._indexes, ranges, strict=True):
            shift = end - self._read(index, name, start, start + 1)
            for piece in self._shards.pieces(index, name, start + 1, stop + 1):
                yield piece + shift
                end = int(piece[-1] + shift[0])

    def _add_text(self, image: FileImage, name: str, ranges: list[tuple[int, int]], *, in_shards: bool = False) -> None:
        """Add some strings of each shard, all of them together."""
        path, offsets, ends = names.bytes_of(name), names.offsets_of(name), self._ends[name]
        num_bytes = sum(stop - start for start, stop in ends)
        if in_shards:
            sources = [(self._path(index), stop) for index, (_, stop) in zip(self._indexes, ends, strict=True)]
            image.add_virtual(path, names.BYTE, (num_bytes,), sources)
        else:
            pieces = (
                p for index, (a, b) in zip(self._indexes, ends, strict=True) for p in self._shards.pieces(index, path, a, b)
            )
            image.add(path, names.BYTE, (num_bytes,), pieces)
        num_strings = sum(stop - start for start, stop in ranges)
        image.add(offsets, names.OFFSET, (num_strings + 1,), self._offsets(offsets, ranges))

    def _sources(self, count: Count) -> list[tuple[str, int]]:
        return [(self._path(index), getattr(record, count)) for index, record in enumerate(self._shards.records)]

    def _path(self, index: int) -> str:
        return f"{self._folder}/{self._shards.records[index].name}"

    def _merge_documents(self, index: int, last: list[str]) -> list[str]:
        """A document that goes on in the next shard is one: there, the master leaves the first one out.

        :param last: The document at the end of the shard before.
        :returns: That of this one.
        """
        num_documents = self._shards.records[index].num_documents
        goes_on = self._text(index, names.DOCUMENT_ID, 0, 1) == last
        self._documents.append((int(goes_on), num_documents))
        return self._text(index, names.DOCUMENT_ID, num_documents - 1, num_documents)

    def _find_ends(self, index: int) -> None:
        everything = (0, self._shards.records[index].num_sentences)
        for name, ends in self._ends.items():
            start, stop = self._documents[index] if name == names.DOCUMENT_ID else everything
            begin, end = (int(self._read(index, names.offsets_of(name), at, at + 1)[0]) for at in (start, stop))
            ends.append((begin, end))

    def _document_index(self) -> Iterator[Array]:
        num_documents = 0
        for index, (first, end) in enumerate(self._documents):
            for piece in self._shards.pieces(index, names.DOCUMENT_INDEX, 0, self._shards.records[index].num_sentences):
                yield piece + (num_documents - first)
            num_documents += end - first

    def _second_starts(self) -> Iterator[Array]:
        """A shard may have no pairs where others have."""
        for index in self._indexes:
            if self._shards.has_pairs(index):
                yield from self._shards.pieces(index, names.SECOND_START, 0, self._shards.records[index].num_sentences)
            else:
                yield np.full(self._shards.records[index].num_sentences, names.NO_PAIR, "<i4")

    def _merge_labels(self, index: int) -> None:
        for name, info in self._shards.labels(index).items():
            if name not in self._labels:
                self._labels[name] = _Label(info.unit, Vocabulary(), [None for _ in self._indexes])
            label = self._labels[name]
            if label.unit != info.unit:
                raise StoreError(
                    f"cannot put the shards together: the label {name!r} is one a {label.unit} in the first of them and "
                    f"one a {info.unit} in {self._shards.records[index].name}."
                )
            text = f"{info.group}/{names.VOCABULARY}"
            num_values = self._shards.num_rows(index, names.offsets_of(text)) - 1
            values = self._text(index, text, 0, num_values)
            label.codes[index] = np.array([*(label.vocabulary[value] for value in values), names.NO_LABEL], names.CODE)

    def _codes(self, name: str, label: _Label) -> Iterator[Array]:
        path = f"{names.LABELS}/{names.link_name(name)}/{names.LABEL_CODES}"
        for index, codes in enumerate(label.codes):
            if codes is None:
                yield np.full(getattr(self._shards.records[index], names.ROWS[label.unit]), names.NO_LABEL, names.CODE)
                continue
            for piece in self._shards.pieces(index, path, 0, self._shards.num_rows(index, path)):
                yield codes[piece]  # NO_LABEL is -1: the last

    def _text(self, index: int, name: str, start: int, stop: int) -> list[str]:
        offsets = self._read(index, names.offsets_of(name), start, stop + 1)
        return unpack(self._read(index, names.bytes_of(name), int(offsets[0]), int(offsets[-1])), offsets)
