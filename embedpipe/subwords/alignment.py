"""Which subwords make up which word, by the characters that both cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import Span, WordFlag

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray


def align_words(word_spans: Sequence[Span] | IntArray, subword_spans: Sequence[Span] | IntArray) -> IntArray:
    """Find the subwords that share at least one character with each word.

    :param word_spans: Characters of each word, in the order of the text.
    :param subword_spans: Characters of each subword, in the order of the text.
    :returns: Half-open subword range of each word; empty (start equals end) for a word without subwords. Ranges overlap where
        a subword covers characters of two words. *Shape:* ``(num_words, 2)``, int64.
    """
    words = np.asarray(word_spans, dtype=np.int64).reshape(-1, 2)
    # A normalizer may reorder characters (combining marks), and the search below needs what is sorted.
    subwords = np.maximum.accumulate(np.asarray(subword_spans, dtype=np.int64).reshape(-1, 2), axis=0)
    starts = np.searchsorted(subwords[:, 1], words[:, 0], side="right")
    ends = np.searchsorted(subwords[:, 0], words[:, 1], side="left")
    empty = (ends <= starts) | (words[:, 0] == words[:, 1])
    return np.stack([starts, np.where(empty, starts, ends)], axis=1).astype(np.int64)


def flag_words(word_offsets: IntArray, subword_ids: IntArray, unknown_id: int | None) -> IntArray:
    """Set the :class:`~embedpipe.dataflow.WordFlag` of each word.

    :param word_offsets: *Shape:* ``(num_words, 2)``.
    :param subword_ids: *Shape:* ``(num_subwords,)``.
    :returns: *Shape:* ``(num_words,)``, int64.
    """
    starts, ends = word_offsets[:, 0], word_offsets[:, 1]
    filled = starts < ends
    flags = np.where(filled, 0, int(WordFlag.NO_SUBWORDS))
    users = np.zeros(len(subword_ids) + 1, dtype=np.int64)
    np.add.at(users, starts[filled], 1)
    np.add.at(users, ends[filled], -1)
    shared = _any_in_range(np.cumsum(users[:-1]) > 1, word_offsets)
    flags |= np.where(shared, int(WordFlag.SHARED_SUBWORD), 0)
    if unknown_id is not None:
        unknown = _any_in_range(subword_ids == unknown_id, word_offsets)
        flags |= np.where(unknown, int(WordFlag.UNKNOWN_SUBWORD), 0)
    return flags.astype(np.int64)


def _any_in_range(marked: np.ndarray[tuple[int], np.dtype[np.bool_]], ranges: IntArray) -> np.ndarray:
    counts = np.concatenate([[0], np.cumsum(marked)])
    return counts[ranges[:, 1]] > counts[ranges[:, 0]]
