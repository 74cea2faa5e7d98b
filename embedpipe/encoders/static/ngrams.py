"""The character n-grams of fastText: which rows of its table stand for the parts of a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import FloatArray, IntArray

_BASIS, _PRIME = np.uint32(2166136261), np.uint32(16777619)  # FNV-1a
_ROWS_AT_A_TIME = 4096


class Ngrams(NamedTuple):
    """Which n-grams a model has.

    :param shortest: In characters, the marks ``<`` and ``>`` around a word counted.
    :param longest: 0 for a model without n-grams.
    :param num_buckets: Rows that the n-grams share by their hash.
    """

    shortest: int
    longest: int
    num_buckets: int

    def buckets(self, words: Sequence[bytes]) -> list[IntArray]:
        """The buckets of each word's n-grams, as fastText's ``Dictionary::computeSubwords`` finds them.

        :param words: UTF-8.
        :returns: An array a word, *shape* ``(num_ngrams,)``, int64.
        """
        if not words or not self.num_buckets:
            return [np.empty(0, np.int64) for _ in words]
        text = _Characters(words)
        hashes = np.full(len(text.starts), _BASIS, np.uint32)
        buckets, owners = [], []
        for length in range(1, self.longest + 1):
            first = np.flatnonzero(text.place + length <= text.num_in_word)
            text.append_to(hashes, first, first + length - 1)
            if length == 1:  # the marks alone are none
                first = first[(text.place[first] > 0) & (text.place[first] < text.num_in_word[first] - 1)]
            if length >= self.shortest:
                buckets.append(hashes[first].astype(np.int64) % self.num_buckets)
                owners.append(text.word[first])
        if not buckets:
            return [np.empty(0, np.int64) for _ in words]
        owner = np.concatenate(owners)
        order = np.argsort(owner, kind="stable")
        ends = np.cumsum(np.bincount(owner, minlength=len(words)))
        return np.split(np.concatenate(buckets)[order], ends[:-1])


def add_up(take: Callable[[IntArray], FloatArray], rows: IntArray, vector_size: int) -> FloatArray:
    """The sum of some rows, a few thousand of them in memory at once.

    :param take: Gives the rows that it is asked for.
    :returns: *Shape:* ``(vector_size,)``, float32.
    """
    total = np.zeros(vector_size, np.float32)
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        total += take(rows[start : start + _ROWS_AT_A_TIME]).sum(axis=0)
    return total


class _Characters:
    """Where the characters of marked words begin and end, in one run of bytes.

    ``word``, ``place`` and ``num_in_word`` say of each character whose it is, which one there, and of how many.
    """

    def __init__(self, words: Sequence[bytes]) -> None:
        marked = [b"<" + word + b">" for word in words]
        self._bytes = np.frombuffer(b"".join(marked), np.uint8)
        self.starts = np.flatnonzero((self._bytes & 0xC0) != 0x80)
        self._sizes = np.diff(self.starts, append=len(self._bytes))
        word_ends = np.cumsum([len(word) for word in marked])
        self.word = np.searchsorted(word_ends, self.starts, side="right")
        counts = np.bincount(self.word, minlength=len(words))
        self.num_in_word = counts[self.word]
        self.place = np.arange(len(self.starts)) - (np.cumsum(counts) - counts)[self.word]

    def append_to(self, hashes: npt.NDArray[np.uint32], ngrams: IntArray, characters: IntArray) -> None:
        """Let the hashes of n-grams go on with one more character each."""
        sizes, starts = self._sizes[characters], self.starts[characters]
        for index in range(int(sizes.max(initial=0))):
            longer = sizes > index
            signed = self._bytes[starts[longer] + index].astype(np.int8).astype(np.int32).view(np.uint32)
            hashes[ngrams[longer]] = (hashes[ngrams[longer]] ^ signed) * _PRIME
