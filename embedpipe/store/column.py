"""A dataset that grows: rows are gathered to whole chunks, so that it does not matter in which portions they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from embedpipe.store.format import BYTE, OFFSET, bytes_of, offsets_of
from embedpipe.store.text import pack, unpack

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray

CHUNK_BYTES = 256 * 1024


class GrowingColumn:
    """One dataset under construction; it exists in the file from its first whole chunk on.

    A column that never fills a chunk becomes one contiguous dataset of its exact size: small stores are small.

    :param row_shape: Shape of one row, ``()`` for a number a row.
    """

    def __init__(self, file: h5py.File, name: str, dtype: str, row_shape: tuple[int, ...] = ()) -> None:
        self._file = file
        self._name = name
        row_bytes = np.dtype(dtype).itemsize * int(np.prod(row_shape, dtype=np.int64))
        self._buffer = np.empty((max(1, CHUNK_BYTES // max(1, row_bytes)), *row_shape), dtype)
        self._num_buffered = 0
        self._dataset: Any = None
        self._num_rows = 0

    def __len__(self) -> int:
        return self._num_rows

    def append(self, rows: np.ndarray[Any, Any]) -> None:
        """Add rows, *shape* ``(num_rows, *row_shape)``."""
        self._num_rows += len(rows)
        chunk = len(self._buffer)
        if self._num_buffered:
            taken = min(chunk - self._num_buffered, len(rows))
            self._fill(rows[:taken])
            rows = rows[taken:]
            if self._num_buffered < chunk:
                return
            self._write(self._buffer)
            self._num_buffered = 0
        whole = len(rows) - len(rows) % chunk
        if whole:
            self._write(rows[:whole])
        self._fill(rows[whole:])

    def read(self, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Read back rows, written or still gathered."""
        num_written = self._num_rows - self._num_buffered
        gathered = self._buffer[max(start - num_written, 0) : max(stop - num_written, 0)]
        if start >= num_written:
            return gathered
        written: np.ndarray[Any, Any] = self._dataset[start : min(stop, num_written)]
        return np.concatenate([written, gathered])

    def finish(self) -> Any:
        """Write what is still gathered.

        :returns: The dataset, to put attributes on.
        """
        rest = self._buffer[: self._num_buffered]
        if self._dataset is None:
            self._dataset = self._file.create_dataset(self._name, data=rest)
        elif len(rest):
            self._write(rest)
        return self._dataset

    def _fill(self, rows: np.ndarray[Any, Any]) -> None:
        self._buffer[self._num_buffered : self._num_buffered + len(rows)] = rows
        self._num_buffered += len(rows)

    def _write(self, rows: np.ndarray[Any, Any]) -> None:
        if self._dataset is None:
            shape = (0, *self._buffer.shape[1:])
            self._dataset = self._file.create_dataset(
                self._name, shape, self._buffer.dtype, maxshape=(None, *shape[1:]), chunks=self._buffer.shape
            )
        start = len(self._dataset)
        self._dataset.resize(start + len(rows), axis=0)
        self._dataset[start:] = rows


class GrowingOffsets:
    """Offsets under construction: it is given lengths and keeps their running sum, from 0."""

    def __init__(self, file: h5py.File, name: str) -> None:
        self._column = GrowingColumn(file, name, OFFSET)
        self._column.append(np.zeros(1, np.int64))
        self.end = 0

    def append(self, lengths: IntArray | Sequence[int]) -> None:
        """Add one range a length."""
        ends = self.end + np.cumsum(lengths, dtype=np.int64)
        self._column.append(ends)
        self.end = int(ends[-1]) if len(ends) else self.end

    def range(self, index: int) -> tuple[int, int]:
        """The range at ``index``."""
        start, end = self._column.read(index, index + 2).tolist()
        return start, end

    def finish(self) -> None:
        """Write what is still gathered."""
        self._column.finish()


class GrowingText:
    """Packed text under construction."""

    def __init__(self, file: h5py.File, name: str) -> None:
        self._bytes = GrowingColumn(file, bytes_of(name), BYTE)
        self._offsets = GrowingOffsets(file, offsets_of(name))

    def append(self, strings: Sequence[str]) -> None:
        """Add strings."""
        data, offsets = pack(strings)
        self._bytes.append(data)
        self._offsets.append(np.diff(offsets))

    def read(self, index: int) -> str:
        """Read one string back."""
        start, end = self._offsets.range(index)
        return unpack(self._bytes.read(start, end), np.array([start, end]))[0]

    def finish(self) -> None:
        """Write what is still gathered."""
        self._bytes.finish()
        self._offsets.finish()
