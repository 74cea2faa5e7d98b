"""A new HDF5 file, of which HDF5 makes the structure and nothing else.

The sizes of all datasets are known before a file is written. So HDF5 lays the file out in memory, with room for the rows of
each dataset but without the rows; then the file is written front to back in one go, rows where HDF5 has left room for them.
That is as fast as a raw write, gives a checksum on the way, and no error of the disk can happen inside of HDF5, which does not
survive them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from embedpipe.store.layout import Place

_PAGE_BYTES = 4096
_ALIGNMENT_BYTES = 64


@dataclass(frozen=True, slots=True)
class _Room:
    """The place of a dataset's rows in the file."""

    name: str
    offset: int
    num_bytes: int
    pieces: Iterable[np.ndarray[Any, Any]]


class FileImage:
    """An HDF5 file under construction; :meth:`pieces` gives its bytes, once.

    :param large: Whether it holds so much that datasets may start at memory pages: reading them is then a sixth faster, as
        source and target of the system's copy have the same alignment.
    """

    def __init__(self, *, large: bool = False) -> None:
        self._memory = _SparseMemory()
        # Version 1.10 of the file format: checksums over its structure.
        self.file = h5py.File(
            self._memory,
            "w",
            libver=("v110", "v110"),
            alignment_threshold=8 * _ALIGNMENT_BYTES,
            alignment_interval=_PAGE_BYTES if large else _ALIGNMENT_BYTES,
        )
        self._rooms: list[_Room] = []
        self.places: dict[str, Place] = {}
        """Of the datasets whose rows are in this file."""

    def add(self, name: str, dtype: str, shape: tuple[int, ...], pieces: Iterable[np.ndarray[Any, Any]]) -> Any:
        """Add a contiguous dataset.

        :param pieces: Its rows in order, in arrays of any lengths; they are asked for when they are written.
        :returns: The dataset, to put attributes on.
        """
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_layout(h5py.h5d.CONTIGUOUS)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        dataset = self._create(name, dtype, h5py.h5s.create_simple(shape), layout)
        num_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        offset = dataset.id.get_offset() if num_bytes else 0
        self.places[name] = Place(offset, np.dtype(dtype), shape)
        if num_bytes:
            self._rooms.append(_Room(name, offset, num_bytes, pieces))
        return dataset

    def rows(self, name: str) -> Iterable[np.ndarray[Any, Any]]:
        """The pieces of a dataset; those that were given as an iterator are then no longer there to be written."""
        return next((room.pieces for room in self._rooms if room.name == name), ())

    def add_virtual(self, name: str, dtype: str, shape: tuple[int, ...], sources: Sequence[tuple[str, int]]) -> Any:
        """Add a dataset whose rows are those of the datasets of the same name in other files.

        :param sources: Path of each file, relative to the folder of this one, and how many rows it has.
        :returns: The dataset, to put attributes on.
        """
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        place = h5py.h5s.create_simple(shape)
        row = 0
        for path, num_rows in sources:
            if num_rows:
                size = (num_rows, *shape[1:])
                place.select_hyperslab((row, *(0 for _ in shape[1:])), size)
                layout.set_virtual(place, _escaped(os.fsencode(path)), _escaped(name.encode()), h5py.h5s.create_simple(size))
                row += num_rows
        place.select_all()
        if np.dtype(dtype).kind == "f":  # a missing file is then seen by readers that do not look for it
            layout.set_fill_value(np.array(np.nan, dtype))
        return self._create(name, dtype, place, layout)

    def _create(self, name: str, dtype: str, place: Any, layout: Any) -> Any:
        """What ``create_dataset`` does, in half of the time."""
        layout.set_obj_track_times(False)
        parent, _, link = name.rpartition("/")
        group = self.file.require_group(parent) if parent else self.file
        kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
        return h5py.Dataset(h5py.h5d.create(group.id, link.encode(), kind, place, layout))

    def pieces(self) -> Iterator[Any]:
        """The bytes of the file, front to back."""
        self.file.close()
        position = 0
        for room in sorted(self._rooms, key=lambda room: room.offset):
            yield from self._memory.read(position, room.offset)
            position = room.offset
            for piece in room.pieces:
                yield np.ascontiguousarray(piece).reshape(-1).view(np.uint8)
                position += piece.nbytes
            if position != room.offset + room.num_bytes:
                raise RuntimeError(f"{room.name} takes {room.num_bytes:,} bytes and got {position - room.offset:,}")
        yield from self._memory.read(position, self._memory.size)


class _SparseMemory(io.RawIOBase):
    """A binary file in memory that holds only the pages that were written to; the others are zeros."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._position = 0
        self.size = 0

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            page, within = divmod(self._position, _PAGE_BYTES)
            part = rest[: _PAGE_BYTES - within]
            self._pages.setdefault(page, bytearray(_PAGE_BYTES))[within : within + len(part)] = part
            self._position += len(part)
            rest = rest[len(part) :]
        self.size = max(self.size, self._position)
        return size

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        view[:] = b"".join(self.read(self._position, self._position + len(view)))
        self._position += len(view)
        return len(view)

    def read(self, start: int, stop: int) -> Iterator[bytes]:  # type: ignore[override]
        """The bytes from ``start`` to ``stop``, page by page."""
        while start < stop:
            page, within = divmod(start, _PAGE_BYTES)
            end = min(_PAGE_BYTES, within + stop - start)
            yield bytes(self._pages[page][within:end]) if page in self._pages else bytes(end - within)
            start += end - within

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None) -> int:
        self.size = self._position if size is None else size
        return self.size

    def flush(self) -> None:
        """Nothing is held back."""


def _escaped(name: bytes) -> bytes:
    """HDF5 takes ``%b`` in the names of a virtual dataset's sources for a number."""
    return name.replace(b"%", b"%%")
