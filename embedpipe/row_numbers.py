"""Which rows of a view are a sentence's: those of all sentences lie one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray, WindowedSentence


def first_rows(block: Sequence[WindowedSentence]) -> dict[str, IntArray]:
    """By unit, the first row of each sentence, and behind the last one the number of rows."""
    counts = {
        "word": [len(sentence.subwords.word_offsets) for sentence in block],
        "subword": [len(sentence.subwords.subword_ids) for sentence in block],
        "sentence": [1] * len(block),
    }
    return {unit: np.concatenate([[0], np.cumsum(count)]).astype(np.int64) for unit, count in counts.items()}


def numbers_between(ends: IntArray, indices: Sequence[int]) -> IntArray:
    """All numbers from ``ends[index]`` up to ``ends[index + 1]``, for each index, one range behind the other."""
    starts = np.asarray(indices, dtype=np.int64)
    return numbers_in(np.stack([ends[starts], ends[starts + 1]], axis=1))


def numbers_in(ranges: IntArray) -> IntArray:
    """All numbers of some half-open ranges, one range behind the other.

    :param ranges: *Shape:* ``(num_ranges, 2)``.
    """
    lengths = ranges[:, 1] - ranges[:, 0]
    firsts = np.cumsum(lengths) - lengths
    numbers: IntArray = np.arange(int(lengths.sum())) + np.repeat(ranges[:, 0] - firsts, lengths)
    return numbers
