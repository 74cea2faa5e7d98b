"""The vectors of words that a file of vectors does not have."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

import numpy as np

from embedpipe.encoders.static.ngrams import add_up

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray
    from embedpipe.encoders.static.table import Table

_NUM_HASHES = 1 << 62


class UnknownWords(Protocol):
    """Gives a word that the table does not have a number, and its vector to the number."""

    def number(self, word: bytes) -> int:
        """0 or more, below 2**63 less the number of words."""

    def vector(self, number: int) -> FloatArray:
        """*Shape:* ``(vector_size,)``, float32."""


class OneVector:
    """The same vector for each: zeros, or the mean of all."""

    def __init__(self, vector: FloatArray) -> None:
        self._vector = vector

    def number(self, word: bytes) -> int:
        return 0

    def vector(self, number: int) -> FloatArray:
        return self._vector


class DrawnVectors:
    """Evenly distributed numbers that a hash of the word draws, on every machine the same.

    :param rms: Root mean square of the numbers.
    """

    def __init__(self, vector_size: int, rms: float) -> None:
        self._vector_size = vector_size
        self._highest = rms * 3**0.5

    def number(self, word: bytes) -> int:
        return int.from_bytes(hashlib.sha256(word).digest()[:8], "little") % _NUM_HASHES

    def vector(self, number: int) -> FloatArray:
        drawn = hashlib.shake_256(number.to_bytes(8, "little")).digest(4 * self._vector_size)
        vector: FloatArray = ((np.frombuffer(drawn, "<u4") / 2**31 - 1) * self._highest).astype(np.float32)
        return vector


class SubwordVectors:
    """fastText's: the mean of a word's n-grams', zeros where it has none.

    Each different word is remembered, 100 bytes or so, for as long as the encoder is.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._numbers: dict[bytes, int] = {}
        self._words: list[bytes] = []

    def number(self, word: bytes) -> int:
        number = self._numbers.setdefault(word, len(self._words))
        if number == len(self._words):
            self._words.append(word)
        return number

    def vector(self, number: int) -> FloatArray:
        (buckets,) = self._table.ngrams.buckets([self._words[number]])
        total = add_up(self._table.take, self._table.num_words + buckets, self._table.vector_size)
        return total / np.float32(max(1, len(buckets)))
