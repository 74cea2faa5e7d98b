"""Reading columns of a sealed file.

HDF5 takes about 70 microseconds a read, and a global lock. A dataset without filters lies in the file as plain rows, whole or
in chunks, so its rows are read from there with ``pread``: 20 times as fast, from several threads at once, safe after a fork.
A dataset with filters (someone has run h5repack) is read through HDF5.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from embedpipe.errors import DamagedStoreError, StoreError
from embedpipe.store.text import unpack

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.store.opened import OpenedFile


class Column(ABC):
    """Rows on the disk.

    :param path: Of the store, for errors.
    :param name: Of the dataset.
    """

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._path = path
        self._name = name
        self.shape = shape
        self.dtype = dtype
        self._row_bytes = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Read the rows from ``start`` to ``stop``.

        :raises StoreError: If the store is closed or damaged.
        """
        if not 0 <= start <= stop <= len(self):
            raise self.damaged(f"rows {start} to {stop} are asked of it, and it has {len(self)}")
        self._prepare(start, stop)
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self._read_into(out, start)
        return out

    def take(self, rows: IntArray) -> np.ndarray[Any, Any]:
        """Read rows in ascending order without repeats; neighbours are read at once."""
        if len(rows):
            self._prepare(int(rows[0]), int(rows[0]) + 1)
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        begins = [0, *breaks.tolist()]
        for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True):
            if end > begin:
                self._read_into(out[begin:end], int(rows[begin]))
        return out

    def mapped(self) -> np.ndarray[Any, Any]:
        """The whole column, memory-mapped where it lies in one piece."""
        return self.read(0, len(self))

    def _prepare(self, start: int, stop: int) -> None:
        """Called before memory is taken for rows; most columns are known to be as long as they claim."""
        return

    @abstractmethod
    def _read_into(self, out: np.ndarray[Any, Any], start: int) -> None:
        """Read as many rows as ``out`` has, from ``start`` on."""

    def damaged(self, what: str) -> DamagedStoreError:
        """An error that names the store and the column."""
        return DamagedStoreError(f"the store {self._path} is damaged: {self._name}: {what}. Extract it again.")


class StoredColumn(Column):
    """The rows of one dataset.

    :param dataset: An open dataset that has been checked.
    :param file: The file that it is in.
    """

    def __init__(self, dataset: h5py.Dataset, file: OpenedFile) -> None:
        super().__init__(file.path, str(dataset.name).lstrip("/"), dataset.shape, dataset.dtype)
        self._dataset = dataset
        self._file = file
        self._places: IntArray | None = None
        self._chunk_rows = 0
        self._map: np.ndarray[Any, Any] | None = None

    def mapped(self) -> np.ndarray[Any, Any]:
        """The whole column, memory-mapped where it lies in one piece."""
        _ = self._locate()
        if self._map is None:
            if self._places is None or len(self._places) != 1 or not len(self):
                self._map = self.read(0, len(self))
            else:
                with damaged(self._file.path, self._name):
                    self._map = np.ndarray(self.shape, self.dtype, self._file.memory_map(), int(self._places[0]))
        return self._map

    def _read_into(self, out: np.ndarray[Any, Any], start: int) -> None:
        descriptor = self._locate()
        if not out.nbytes:
            return
        if self._places is None:
            with damaged(self._file.path, self._name):
                out[...] = self._dataset[start : start + len(out)]
            return
        flat = bytes_view(out)
        row, stop = start, start + len(out)
        while row < stop:
            chunk, within = divmod(row, self._chunk_rows)
            end = min(stop, (chunk + 1) * self._chunk_rows)
            piece = flat[(row - start) * self._row_bytes : (end - start) * self._row_bytes]
            if not read_exactly(descriptor, piece, int(self._places[chunk]) + within * self._row_bytes):
                raise self.damaged("it ends before its last row")
            row = end

    def _locate(self) -> int:
        """Find the chunks in the file, once; a contiguous dataset is one chunk.

        :returns: The file descriptor, which HDF5 owns.
        :raises StoreError: If the store is closed.
        """
        descriptor = self._file.descriptor
        if not self._chunk_rows:
            with damaged(self._file.path, self._name):
                self._chunk_rows, self._places = _places(self._dataset)
        return descriptor


class StoredText:
    """Packed strings: the bytes and the offsets of a text."""

    def __init__(self, data: Column, offsets: Column) -> None:
        self._data = data
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def read(self, start: int, stop: int) -> list[str]:
        """Read the strings from ``start`` to ``stop``."""
        offsets = read_offsets(self._offsets, start, stop)
        data = self._data.read(int(offsets[0]), int(offsets[-1]))
        try:
            return unpack(data, offsets)
        except UnicodeDecodeError:
            raise self._data.damaged(f"the strings {start} to {stop} are not UTF-8") from None


def range_at(column: Column, index: int) -> tuple[int, int]:
    """Read one range, from the memory map of the offsets: a single number is soonest had without a call of the system."""
    start, end = column.mapped()[index : index + 2].tolist()
    if not 0 <= start <= end:
        raise column.damaged(f"the offsets at {index} are not ascending")
    return start, end


def read_offsets(column: Column, start: int, stop: int) -> IntArray:
    """Read the offsets of the ranges from ``start`` to ``stop``. *Shape:* ``(stop - start + 1,)``, checked to be ascending."""
    offsets = column.read(start, stop + 1)
    if offsets[0] < 0 or (np.diff(offsets) < 0).any():
        raise column.damaged(f"the offsets {start} to {stop} are not ascending")
    return offsets


def bytes_view(array: np.ndarray[Any, Any]) -> memoryview:
    """The bytes of a contiguous array, to read into."""
    return memoryview(array.reshape(-1).view(np.uint8).data)


def read_exactly(descriptor: int, buffer: memoryview, offset: int) -> bool:
    """Fill ``buffer`` from a file.

    :returns: Whether the file was long enough.
    """
    while buffer:
        num_read = os.preadv(descriptor, [buffer], offset)
        if not num_read:
            return False
        buffer, offset = buffer[num_read:], offset + num_read
    return True


@contextmanager
def damaged(path: Path, what: str) -> Iterator[None]:
    """Turn what HDF5 raises at a broken file into an error of ours."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        if isinstance(error, StoreError):
            raise
        raise DamagedStoreError(f"the store {path} is damaged: {what} cannot be read ({error}). Extract it again.") from None


def _places(dataset: Any) -> tuple[int, IntArray | None]:
    """Rows in a chunk, and the byte offset of each chunk; no offsets where the rows do not lie there plainly."""
    num_rows = dataset.shape[0]
    layout = dataset.id.get_create_plist()
    if layout.get_nfilters() or dataset.file.userblock_size:
        return 1, None
    if layout.get_layout() == h5py.h5d.CONTIGUOUS and (offset := dataset.id.get_offset()) is not None:
        return max(1, num_rows), np.array([offset])
    chunks: Sequence[int] | None = dataset.chunks
    if chunks is None or tuple(chunks[1:]) != dataset.shape[1:] or not hasattr(dataset.id, "chunk_iter"):
        return 1, None
    places = np.full(-(-num_rows // chunks[0]), -1, np.int64)

    def note(chunk: Any) -> None:
        index = chunk.chunk_offset[0] // chunks[0]
        if index < len(places):  # else left from before the dataset was cut
            places[index] = chunk.byte_offset

    dataset.id.chunk_iter(note)
    return (1, None) if (places < 0).any() else (chunks[0], places)
