"""Whether a master says the same as its shards, for embedpipe's readers and for plain HDF5."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from embedpipe.store import format as names
from embedpipe.store.contents import view_path
from embedpipe.store.finding import Fault
from embedpipe.store.text import encode

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.store.manifest import ShardRecord
    from embedpipe.store.sealed import SealedFile
    from embedpipe.store.store_file import StoreFile

_SENTENCES_A_READ = 4096
_OFFSETS = (
    names.WORD_OFFSETS,
    names.SUBWORD_OFFSETS,
    names.offsets_of(names.SENTENCE_ID),
    names.offsets_of(names.SENTENCE_TEXT),
)


def check_sources(file: h5py.File, master: StoreFile, folder: str) -> Iterator[Fault]:
    """Check that the virtual datasets, which only plain HDF5 follows, lead to the rows of the shards.

    :param file: The master, opened once more.
    :param folder: Name of the shards folder.
    """
    counts: dict[str, names.Count | None] = {**names.IN_SHARDS}
    counts |= {view_path(name): names.ROWS[info.unit] for name, info in master.structure.views.items()}
    for name in sorted(master.structure.in_shards):
        if (count := counts[name]) is None:
            starts = np.array([0, *(record.stop for record in master.shards)])
            ends = master.column(names.offsets_of(names.SENTENCE_TEXT)).take(starts).tolist()
        else:
            ends = [0, *accumulate(getattr(record, count) for record in master.shards)]
        expected = _sources(name, folder, master.shards, ends)
        if (found := _mapping(file[name].id.get_create_plist())) != expected:
            what = next((pair for pair in zip(found, expected, strict=False) if pair[0] != pair[1]), ("others", "the shards"))
            yield Fault.of_file("virtual datasets", f"{name} takes rows from {what[0]}, expected {what[1]}")


def _sources(name: str, folder: str, shards: Sequence[ShardRecord], ends: Sequence[int]) -> list[tuple[str, str, int, int]]:
    return [
        (f"{folder}/{record.name}", name, start, end)
        for record, start, end in zip(shards, ends[:-1], ends[1:], strict=True)
        if end > start
    ]


def _mapping(layout: Any) -> list[tuple[str, str, int, int]]:
    """File, dataset, first row and end of each source of a virtual dataset. In file names HDF5 writes ``%`` as ``%%``."""
    found = []
    for index in range(layout.get_virtual_count()):
        low, high = layout.get_virtual_vspace(index).get_select_bounds()
        path, name = layout.get_virtual_filename(index), layout.get_virtual_dsetname(index)
        found.append((_text(path).replace("%%", "%"), _text(name).replace("%%", "%"), int(low[0]), int(high[0]) + 1))
    return found


def _text(name: Any) -> str:
    return os.fsdecode(name)


def check_place(master: StoreFile, shard: SealedFile, record: ShardRecord) -> Iterator[Fault]:
    """Check that a shard is one of the master's, as far as its structure and its own provenance tell."""
    for name in names.COUNTS:
        found, expected = shard.structure.counts[name], getattr(record, name)
        if found != expected:
            yield Fault.of_file("shard", f"its {name} is {found:,}, expected {expected:,}")
    if shard.structure.views != master.structure.views:
        yield Fault.of_file("shard", "it has other views than the store")
    column = shard.column(names.PROVENANCE)
    provenance = json.loads(column.read(0, len(column)).tobytes())
    if not isinstance(provenance, dict) or master.structure.table is None:
        yield Fault.of_file("shard", "it does not say what it was made of")
    elif provenance.get("identity") != master.structure.table.origin.of(record.start):
        yield Fault.of_file("shard", "it is that of another store: it was made of something else")


def check_agreement(master: StoreFile, shard: SealedFile, record: ShardRecord) -> Iterator[Fault]:
    """Check what both the master and a shard say of the shard's sentences, which are numbered as in the shard.

    :raises DamagedStoreError: If something cannot be read.
    """
    for start in range(0, record.num_sentences, _SENTENCES_A_READ):
        stop = min(start + _SENTENCES_A_READ, record.num_sentences)
        for name in _OFFSETS:
            lengths = [
                np.diff(file.column(name).read(first + start, first + stop + 1))
                for file, first in ((master, record.start), (shard, 0))
            ]
            yield from _differing(name, lengths, start)
        yield from _check_ids(master, shard, record, start, stop)
        steps = [
            np.diff(file.column(names.DOCUMENT_INDEX).read(first + start, first + stop))
            for file, first in ((master, record.start), (shard, 0))
        ]
        yield from _differing(names.DOCUMENT_INDEX, steps, start + 1)
    yield from _check_pairs(master, shard, record)
    yield from _check_documents(master, shard, record)
    yield from _check_labels(master, shard, record)


def _differing(name: str, columns: Sequence[IntArray], start: int) -> Iterator[Fault]:
    (wrong,) = np.nonzero(columns[0] != columns[1])
    if len(wrong):
        yield Fault("master", lambda _: f"its {name} differ from those of the shard", wrong + start)


def _check_ids(master: StoreFile, shard: SealedFile, record: ShardRecord, start: int, stop: int) -> Iterator[Fault]:
    found = master.text(names.SENTENCE_ID).read(record.start + start, record.start + stop)
    expected = shard.text(names.SENTENCE_ID).read(start, stop)
    wrong = [index for index, (id, other) in enumerate(zip(found, expected, strict=True)) if id != other]
    if wrong:
        yield Fault("master", lambda index: f"it calls the sentence {found[wrong[index]]!r}", np.array(wrong) + start)


def _check_pairs(master: StoreFile, shard: SealedFile, record: ShardRecord) -> Iterator[Fault]:
    found, expected = (
        file.column(names.SECOND_START).read(first, first + record.num_sentences)
        if file.structure.has_pairs
        else np.full(record.num_sentences, names.NO_PAIR)
        for file, first in ((master, record.start), (shard, 0))
    )
    yield from _differing(names.SECOND_START, [found, expected], 0)


def _check_documents(master: StoreFile, shard: SealedFile, record: ShardRecord) -> Iterator[Fault]:
    first = int(master.column(names.DOCUMENT_INDEX).read(record.start, record.start + 1)[0])
    last = min(max(0, first) + record.num_documents, master.structure.counts["num_documents"])
    found = master.text(names.DOCUMENT_ID).read(min(max(0, first), last), last)
    if found != (expected := shard.text(names.DOCUMENT_ID).read(0, record.num_documents)):
        pair = next((p for p in zip(found, expected, strict=False) if p[0] != p[1]), (f"{len(found)} documents", len(expected)))
        yield Fault.of_file("master", f"it names the document {pair[0]!r}, and the shard {pair[1]!r}")


def _check_labels(master: StoreFile, shard: SealedFile, record: ShardRecord) -> Iterator[Fault]:
    here, there = shard.structure.labels, master.structure.labels
    for name in here.keys() - there.keys():
        yield Fault.of_file("master", f"it has no label {name!r}")
    offsets = master.column(names.WORD_OFFSETS).take(np.array([record.start, record.stop]))
    for name, info in there.items():
        if name in here and here[name].unit != info.unit:
            yield Fault.of_file("master", f"its label {name!r} is one a {info.unit}, and one a {here[name].unit} in the shard")
            continue
        start, stop = (record.start, record.stop) if info.unit == "sentence" else offsets.tolist()
        found = master.column(f"{info.group}/{names.LABEL_CODES}").read(start, stop)
        expected = _codes_in_master(shard, name, master.vocabulary(name)) if name in here else np.full_like(found, -1)
        (wrong,) = np.nonzero(found != expected)
        if len(wrong):
            words = shard.column(names.WORD_OFFSETS).mapped()
            sentences = wrong if info.unit == "sentence" else np.searchsorted(words, wrong, "right") - 1
            yield _differing_label(name, sentences)


def _differing_label(name: str, sentences: IntArray) -> Fault:
    return Fault("master", lambda _: f"its label {name!r} differs from that of the shard", sentences)


def _codes_in_master(shard: SealedFile, name: str, vocabulary: Sequence[str]) -> IntArray:
    """The codes of a shard, as they are in the master; -2 for a value that the master does not have."""
    known = {encode(value): code for code, value in enumerate(vocabulary)}
    values = [known.get(encode(value), -2) for value in shard.vocabulary(name)]
    codes = shard.column(f"{shard.structure.labels[name].group}/{names.LABEL_CODES}")
    translated: IntArray = np.array([*values, names.NO_LABEL])[codes.read(0, len(codes))]  # NO_LABEL is -1: the last
    return translated
