"""The first shard of a store that was a single file and grows: the same bytes as if it had never been a single file."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import Block, Sentence
from embedpipe.store import format as names
from embedpipe.store.contents import view_path
from embedpipe.store.id_index import hash_ids
from embedpipe.store.sentence import read_sentences
from embedpipe.store.shard import write_shard
from embedpipe.store.store_file import StoreFile

if TYPE_CHECKING:
    from embedpipe.store.format import Count
    from embedpipe.store.layout import ShardLayout
    from embedpipe.store.sealed import SealedFile
    from embedpipe.store.sentence import StoredSentence


def write_first_shard(
    partial: Path, store: Path, provenance: Mapping[str, Any]
) -> tuple[dict[Count, int], int, str, ShardLayout]:
    """Write the contents of a single file as a shard. It was one block, so it is held in memory as a whole again.

    :param store: The single file.
    :param provenance: Of the shard.
    :returns: What :func:`~embedpipe.store.shard.write_shard` does.
    """
    with contextlib.closing(StoreFile(store)) as file:
        structure, block = file.structure, _block(file)
        labels = {name: info.unit for name, info in structure.labels.items()}
        hashes = hash_ids([sentence.id for sentence in block.sentences])
        return write_shard(partial, block, structure.views, labels, hashes, provenance)


def _block(file: SealedFile) -> Block:
    def whole(name: str) -> np.ndarray[Any, Any]:
        column = file.column(name)
        return column.read(0, len(column))

    stored = read_sentences(file, 0, file.structure.counts["num_sentences"])
    return Block(
        sentences=tuple(map(_sentence, stored)),
        sentence_flags=whole(names.SENTENCE_FLAGS).astype(np.int64),
        word_flags=whole(names.WORD_FLAGS).astype(np.int64),
        num_subwords=np.diff(whole(names.SUBWORD_OFFSETS)),
        subword_ids=whole(names.SUBWORD_IDS).astype(np.int64),
        word_offsets=whole(names.WORD_SUBWORDS).astype(np.int64),
        views={name: whole(view_path(name)) for name in file.structure.views},
    )


def _sentence(stored: StoredSentence) -> Sentence:
    """The flags stand in the block."""
    labels = {
        name: value if isinstance(value, str) else tuple(map(str, value))
        for name, value in stored.labels.items()
        if isinstance(value, str) or (value and value[0] is not None)
    }
    sentence = Sentence(stored.id, stored.document, stored.text, stored.spans, labels, stored.space_after)
    return replace(sentence, second_start=stored.second_start)
