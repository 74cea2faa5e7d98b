"""About how large a store will be, from the first sentences of its corpus."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import Corpus, ReadLog, Sentence
from embedpipe.engines.store_size import bytes_beside_vectors
from embedpipe.engines.survey import survey

if TYPE_CHECKING:
    from embedpipe.extraction import Embedder

_HEAD_BYTES = 2 * 2**20
"""Of the corpus's files; readers say how far they are to about 128 KiB."""


@dataclass(slots=True)
class _Head:
    """The beginning of a corpus.

    :param taken_bytes: Of its files, what the sentences so far take; ``None`` if they are all there are.
    """

    corpus: Corpus
    taken_bytes: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return self.corpus.files

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        taken_bytes = 0
        for sentence in self.corpus.sentences(log):
            if log.position_bytes > _HEAD_BYTES and taken_bytes:
                self.taken_bytes = taken_bytes  # the reader has just gone on to the next portion of the file
                return
            taken_bytes = log.position_bytes
            yield sentence


def estimate_bytes(corpus: Corpus, embedder: Embedder) -> int:
    """Estimate the bytes of a store; exact for a corpus of at most 2 MiB, but for what is beside the vectors.

    :raises CorpusError: If the beginning of the corpus cannot be read.
    """
    log, head = ReadLog(), _Head(corpus)
    counted = survey(head, embedder, log)
    if head.taken_bytes is not None:
        counted = counted.projected(math.ceil(counted.num_sentences * log.size_bytes / head.taken_bytes))
    vector_bytes = sum(
        counted.num_rows(info.unit) * math.prod(info.row_shape) * np.dtype(info.dtype).itemsize
        for info in embedder.view_infos.values()
    )
    return vector_bytes + bytes_beside_vectors(counted, vector_bytes, embedder.block_bytes, num_views=len(embedder.views))
