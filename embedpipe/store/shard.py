"""A block of sentences as one sealed file.

It holds nothing but what the block and the run's identity determine, so the same block gives the same bytes whenever it is
written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import Block, Sentence, Unit, ViewInfo
from embedpipe.store import format as names
from embedpipe.store.block import narrowed, stored_rows
from embedpipe.store.contents import add_attributes, add_column, add_json, add_label, add_text, add_views
from embedpipe.store.durable import write_file
from embedpipe.store.format import Count
from embedpipe.store.image import FileImage
from embedpipe.store.labels import block_labels
from embedpipe.store.layout import ShardLayout, label_infos

if TYPE_CHECKING:
    from embedpipe.store.id_index import HashArray


_LARGE_BYTES = 1 << 20
"""Vectors of a shard for which the room between its datasets, 2 KiB each, does not matter."""


def write_shard(
    partial: Path,
    block: Block,
    views: Mapping[str, ViewInfo],
    labels: Mapping[str, Unit],
    id_hashes: HashArray,
    provenance: Mapping[str, Any],
) -> tuple[dict[Count, int], int, str, ShardLayout]:
    """Write a checked block.

    :param labels: Units of its labels.
    :param id_hashes: Of its sentences, in their order.
    :returns: Counts of what is in it, size in bytes, sha256 in hexadecimal, and where in it everything lies.
    :raises NonFiniteError: If a vector is not finite or does not fit into the store's dtype.
    """
    image, counts = shard_image(block, views, labels, id_hashes, provenance)
    size_bytes, sha256 = write_file(partial, image.pieces(), "shard", checksum=True)
    return counts, size_bytes, sha256, ShardLayout.of(image.places, label_infos(labels))


def shard_image(
    block: Block,
    views: Mapping[str, ViewInfo],
    labels: Mapping[str, Unit],
    id_hashes: HashArray,
    provenance: Mapping[str, Any],
) -> tuple[FileImage, dict[Count, int]]:
    """The file of a checked block, not yet written; it lets go of each view as soon as that is."""
    sentences, vectors = block.sentences, block.views
    block = replace(block, views={})
    documents, document_index = _documents(sentences)
    counts: dict[Count, int] = {
        "num_documents": len(documents),
        "num_sentences": len(sentences),
        "num_words": len(block.word_flags),
        "num_subwords": len(block.subword_ids),
    }
    columns = {names.DOCUMENT_INDEX: document_index, **_sentence_columns(block), **_word_columns(block)}
    columns[names.ID_ORDER] = np.argsort(id_hashes, kind="stable").astype("<i8")
    columns[names.ID_HASHES] = id_hashes[columns[names.ID_ORDER]]
    image = FileImage(large=sum(np.asarray(view).nbytes for view in vectors.values()) >= _LARGE_BYTES)
    add_text(image, names.DOCUMENT_ID, documents)
    add_text(image, names.SENTENCE_ID, [sentence.id for sentence in sentences])
    add_text(image, names.SENTENCE_TEXT, [sentence.text for sentence in sentences])
    for name in names.COLUMNS:
        add_column(image, name, counts, [columns[name]])
    if any(sentence.second_start is not None for sentence in sentences):
        add_column(image, names.SECOND_START, counts, [_second_starts(sentences)])
    for name, label in block_labels(sentences, labels).items():
        codes = np.array(label.codes, names.CODE)
        add_label(image, name, label.unit, [codes], len(codes), list(label.vocabulary))
    add_json(image, names.PROVENANCE, provenance)
    add_views(image, views, counts, {name: stored_rows(block, name, info, vectors[name]) for name, info in views.items()})
    add_attributes(image, counts)
    return image, counts


def _documents(sentences: Sequence[Sentence]) -> tuple[list[str], np.ndarray[Any, Any]]:
    """A document is a run of sentences: one that comes back is written again, so that no table of them is needed."""
    runs = [(document, len(list(run))) for document, run in groupby(sentence.document for sentence in sentences)]
    lengths = np.array([length for _, length in runs], np.int64)
    return [document for document, _ in runs], np.repeat(np.arange(len(runs), dtype="<i8"), lengths)


def _sentence_columns(block: Block) -> dict[str, np.ndarray[Any, Any]]:
    sentences = block.sentences
    return {
        names.SENTENCE_FLAGS: narrowed(block.sentence_flags, "<u2", "sentence flags"),
        names.SPACE_AFTER: np.array([sentence.space_after for sentence in sentences], np.uint8),
        names.WORD_OFFSETS: _offsets([len(sentence.spans or ()) for sentence in sentences]),
        names.SUBWORD_OFFSETS: _offsets(block.num_subwords),
    }


def _second_starts(sentences: Sequence[Sentence]) -> np.ndarray[Any, Any]:
    starts = [names.NO_PAIR if sentence.second_start is None else sentence.second_start for sentence in sentences]
    return narrowed(starts, "<i4", "starts of second texts")


def _word_columns(block: Block) -> dict[str, np.ndarray[Any, Any]]:
    ends = chain.from_iterable(chain.from_iterable(sentence.spans or () for sentence in block.sentences))
    spans = np.fromiter(ends, np.int64).reshape(-1, 2)
    return {
        names.WORD_SPANS: narrowed(spans, "<i4", "word spans"),
        names.WORD_SUBWORDS: narrowed(block.word_offsets, "<i4", "word offsets"),
        names.WORD_FLAGS: narrowed(block.word_flags, "<u2", "word flags"),
        names.SUBWORD_IDS: narrowed(block.subword_ids, "<i4", "subword ids"),
    }


def _offsets(lengths: Any) -> np.ndarray[Any, Any]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(names.OFFSET)
