"""A table of vectors, mapped into memory: opening one costs next to nothing, whatever its size."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from embedpipe.encoders.static.ngrams import Ngrams
from embedpipe.encoders.static.table_file import SMALL_SECTIONS, DamagedTableError, read_contents

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import FloatArray, IntArray


class Table:
    """Words and their vectors.

    :param file: A whole one, as :mod:`~embedpipe.encoders.static.table_file` has it; may be closed afterwards.
    :param place: Where the file is.
    :raises DamagedTableError: If it is not.
    """

    def __init__(self, file: BinaryIO, place: Path) -> None:
        self.place = place
        self.contents = read_contents(file)
        self._bytes: npt.NDArray[np.uint8] = np.asarray(np.memmap(file, np.uint8, mode="r"))
        for name in SMALL_SECTIONS:
            if zlib.crc32(self._section(name).data) != self.contents["sections"][name]["crc32"]:
                raise DamagedTableError
        shape = (self.contents["num_rows"], self.vector_size)
        self.rows: FloatArray = self._bytes[: 4 * shape[0] * shape[1]].view("<f4").reshape(shape)
        self.mean: FloatArray = self._section("mean")
        self._checks, self._words, self._ends = (self._section(name) for name in ("checks", "words", "ends"))
        self._hashes, self._order = self._section("hashes"), self._section("order")

    @property
    def num_words(self) -> int:
        """Rows of words; those behind are fastText's buckets."""
        return int(self.contents["num_words"])

    @property
    def vector_size(self) -> int:
        return int(self.contents["vector_size"])

    @property
    def ngrams(self) -> Ngrams:
        """Of fastText; another format has none."""
        return Ngrams(*self.contents["ngrams"])

    def find(self, word: bytes) -> int | None:
        """The row of a word: the first one, where the source has it twice."""
        wanted = zlib.crc32(word)
        at = int(np.searchsorted(self._hashes, np.uint32(wanted)))
        while at < self.num_words and self._hashes[at] == wanted:
            row = int(self._order[at])
            start = self._ends[row - 1] if row else 0
            if self._words[start : self._ends[row]].tobytes() == word:
                return row
            at += 1
        return None

    def take(self, rows: IntArray) -> FloatArray:
        """Some rows, as they were in the source.

        :returns: *Shape:* ``(num_rows, vector_size)``, float32.
        :raises DamagedTableError: If one is not what was written.
        """
        taken = self.rows[rows]
        if any(zlib.crc32(row.data) != check for row, check in zip(taken, self._checks[rows].tolist(), strict=True)):
            raise DamagedTableError
        return taken

    def _section(self, name: str) -> npt.NDArray[Any]:
        section = self.contents["sections"][name]
        dtype = np.dtype(section["dtype"])
        end = section["start"] + section["size"] * dtype.itemsize
        if end > len(self._bytes):
            raise DamagedTableError
        return self._bytes[section["start"] : end].view(dtype)
