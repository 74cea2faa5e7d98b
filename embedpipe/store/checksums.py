"""Checksums of a store's own file, for which no manifest speaks: of its datasets, taken as they are written.

They are of the values, not of the file, so they stay true when h5repack puts the same values elsewhere. Attributes are few, so
they are written down a second time instead.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.store import format as names
from embedpipe.store.attributes import read_integer, read_string
from embedpipe.store.columns import bytes_view
from embedpipe.store.image import FileImage

if TYPE_CHECKING:
    import h5py

    Array = np.ndarray[Any, Any]

_LEAST_BYTES = 3072
"""More than any gap that HDF5 leaves between small datasets, so that a dataset of this size comes behind all others."""

_NUM_THREADS = 2
_MOST_WAITING = 16
"""Pieces, of a few megabytes each, that are in memory until their checksum is taken."""

_STRINGS = (names.FORMAT, names.WRITTEN_BY, names.UNIT, names.COMBINATION, names.POOLING)
_INTEGERS = (names.VERSION, *names.COUNTS, names.POSITION, names.STACKED, names.VECTOR_SIZE)
ATTRIBUTES = frozenset((*_STRINGS, *_INTEGERS, names.LAYERS))
"""Those that FORMAT.md names."""


@dataclass(slots=True)
class _Thread:
    """Takes the pieces of its datasets in their order.

    :param num_bytes: Of its datasets.
    """

    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "checksum"))
    num_bytes: int = 0


class ChecksummedImage(FileImage):
    """A file that ends with the checksums of its datasets and a copy of its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self._digests: dict[str, Any] = {}
        self._unwritten: set[str] = set()
        self._hashing = deque[Future[None]]()
        self._threads = [_Thread() for _ in range(_NUM_THREADS)]

    def add(self, name: str, dtype: str, shape: tuple[int, ...], pieces: Iterable[Array]) -> Any:
        """Add a contiguous dataset, whose checksum is taken when its rows are written."""
        self._digests[name] = hashlib.sha256()
        if 0 not in shape:
            self._unwritten.add(name)
        thread = min(self._threads, key=lambda thread: thread.num_bytes)
        thread.num_bytes += math.prod(shape) * np.dtype(dtype).itemsize
        return super().add(name, dtype, shape, self._hashed(name, pieces, thread.pool))

    def add_virtual(self, name: str, dtype: str, shape: tuple[int, ...], sources: Sequence[tuple[str, int]]) -> Any:
        """Add a dataset whose rows are in other files; without any rows it is one of this file."""
        if 0 in shape:
            self._digests[name] = hashlib.sha256()
        return super().add_virtual(name, dtype, shape, sources)

    def pieces(self) -> Iterator[Any]:
        """The bytes of the file, front to back."""
        attributes = read_attributes(self.file)
        size = max(_LEAST_BYTES, len(self._content(attributes)))
        super().add(names.CHECKSUMS, names.BYTE, (size,), self._last(attributes, size))
        try:
            yield from super().pieces()
        finally:
            for thread in self._threads:
                thread.pool.shutdown(cancel_futures=True)

    def _hashed(self, name: str, pieces: Iterable[Array], thread: ThreadPoolExecutor) -> Iterator[Array]:
        for piece in pieces:
            rows = np.ascontiguousarray(piece)
            self._hashing.append(thread.submit(self._digests[name].update, bytes_view(rows)))
            if len(self._hashing) > _MOST_WAITING:
                self._hashing.popleft().result()
            yield rows
        self._unwritten.discard(name)

    def _last(self, attributes: dict[str, Any], size: int) -> Iterator[Array]:
        """The checksums, known when everything before them is written; white space fills the room."""
        if self._unwritten:
            raise RuntimeError(f"{names.CHECKSUMS} stand before {', '.join(sorted(self._unwritten))}")
        while self._hashing:
            self._hashing.popleft().result()
        yield np.frombuffer(self._content(attributes).ljust(size), np.uint8)

    def _content(self, attributes: dict[str, Any]) -> bytes:
        sha256 = {name: digest.hexdigest() for name, digest in self._digests.items()}
        return json.dumps({"sha256": sha256, "attributes": attributes}, separators=(",", ":")).encode()


def read_attributes(file: h5py.File) -> dict[str, dict[str, Any]]:
    """The attributes that FORMAT.md names, by the path of what they are of, as JSON has them; the file's own are at ``/``."""
    paths = [f"{group}/{link}" for group in (names.VIEWS, names.LABELS) for link in file[group]]
    return {path: dict(_attributes(file[path])) for path in ("/", *paths)}


def _attributes(entry: Any) -> Iterator[tuple[str, Any]]:
    for name in _STRINGS:
        if (text := read_string(entry, name)) is not None:
            yield name, text
    for name in _INTEGERS:
        if (number := read_integer(entry, name)) is not None:
            yield name, number
    if names.LAYERS in entry.attrs and entry.attrs.get_id(names.LAYERS).dtype.kind == "i":
        yield names.LAYERS, np.atleast_1d(entry.attrs[names.LAYERS]).tolist()
