"""About how large a store will be, from the first sentences of its corpus."""

from __future__ import annotations

import itertools
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

_SENTENCES = 2000


@dataclass(frozen=True, slots=True)
class _Head:
    """The beginning of a corpus."""

    corpus: Corpus

    @property
    def files(self) -> tuple[Path, ...]:
        return self.corpus.files

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        return itertools.islice(self.corpus.sentences(log), _SENTENCES)


def estimate_bytes(corpus: Corpus, embedder: Embedder) -> int:
    """Estimate the bytes of a store; exact for a corpus of at most 2,000 sentences, but for what is beside the vectors.

    :raises CorpusError: If the beginning of the corpus cannot be read.
    """
    log = ReadLog()
    counted = survey(_Head(corpus), embedder, log)
    if counted.num_sentences == _SENTENCES and log.position_bytes:
        counted = counted.projected(math.ceil(_SENTENCES * max(1.0, log.size_bytes / log.position_bytes)))
    vector_bytes = sum(
        counted.num_rows(info.unit) * math.prod(info.row_shape) * np.dtype(info.dtype).itemsize
        for info in embedder.view_infos.values()
    )
    return vector_bytes + bytes_beside_vectors(counted, vector_bytes, embedder.block_bytes, num_views=len(embedder.views))
