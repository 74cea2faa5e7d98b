"""Reading shards: each is opened when it is first needed, and checked to be the one that it should be.

A shard's datasets lie in it in one piece, so once HDF5 has said where, it is closed and rows are read with ``pread``. The
places are kept (a few kilobytes a shard); of the open files only the latest are, as a process may not have many thousands.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from embedpipe.dataflow import ViewInfo
from embedpipe.errors import DamagedStoreError, StoreError
from embedpipe.store import format as names
from embedpipe.store.columns import Column, bytes_view, read_exactly
from embedpipe.store.layout import ShardLayout
from embedpipe.store.manifest import ShardRecord
from embedpipe.store.origin import Origin
from embedpipe.store.sealed import SealedFile
from embedpipe.store.structure import LabelInfo

MAX_OPEN_FILES = 128

_PIECE_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class KnownShard:
    """What was found when a shard was first opened; ``version`` tells whether it is still the same file."""

    layout: ShardLayout
    version: tuple[int, ...]

    @classmethod
    def of(cls, path: Path, layout: ShardLayout) -> KnownShard:
        """The shard at ``path`` as it is now, which was made by this run or checked."""
        return cls(layout, _version(path.lstat()))


class _OpenFile:
    """A file descriptor that is closed when the last reader has let go of it."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class ShardFiles:
    """The shards of one store.

    :param store: Path of the store, for errors.
    :param folder: Where the shards are.
    :param records: In the order of their sentences.
    :param views: What each shard must hold.
    :param origin: What each shard must say that it was made of.
    :param known: By index, shards that need not be looked into.
    :param ids_at: Gives the ids of some sentences from elsewhere than the shards, to tell whether a shard has its own place.
    :param fetch: Brings a shard that is not there, from wherever the store is.
    """

    def __init__(
        self,
        store: Path,
        folder: Path,
        records: Sequence[ShardRecord],
        views: Mapping[str, ViewInfo],
        origin: Origin,
        *,
        known: Mapping[int, KnownShard] = MappingProxyType({}),
        ids_at: Callable[[int, int], list[str]] | None = None,
        fetch: Callable[[ShardRecord], None] | None = None,
    ) -> None:
        self.records = tuple(records)
        self._store = store
        self._folder = folder
        self._views = views
        self._origin = origin
        self._ids_at = ids_at
        self._fetch = fetch
        self._known = dict(known)
        self._files: dict[int, _OpenFile] = {}  # the least recently used first
        self._is_closed = False

    def labels(self, index: int) -> Mapping[str, LabelInfo]:
        """The labels of a shard, in their order."""
        return self._layout(index).labels

    def has_pairs(self, index: int) -> bool:
        """Whether a sentence of a shard may be a pair of texts."""
        return self._layout(index).has_pairs

    def num_rows(self, index: int, name: str) -> int:
        """Length of a dataset of a shard."""
        return self._layout(index).num_rows(name)

    def pieces(self, index: int, name: str, start: int, stop: int) -> Iterator[np.ndarray[Any, Any]]:
        """Read rows of a dataset of a shard, a few megabytes at a time."""
        place = self._layout(index).place(name)
        num_rows = max(1, _PIECE_BYTES // max(1, place.dtype.itemsize * math.prod(place.shape[1:])))
        for first in range(start, stop, num_rows):
            yield self.read(index, name, first, min(stop, first + num_rows))

    @property
    def to_fetch(self) -> tuple[ShardRecord, ...]:
        """Those that would have to be brought before they can be read."""
        if self._fetch is None:
            return ()
        return tuple(record for record in self.records if not os.path.lexists(self._folder / record.name))

    def check(self, index: int) -> None:
        """Open the shard, if it has never been.

        :raises DamagedStoreError: If it is not there, or not the one that it should be.
        """
        _ = self._layout(index)

    def read(self, index: int, name: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Read rows of a dataset of a shard."""
        place = self._layout(index).place(name)
        out = np.empty((stop - start, *place.shape[1:]), place.dtype)
        self.read_into(index, name, start, out)
        return out

    def read_into(self, index: int, name: str, start: int, out: np.ndarray[Any, Any]) -> None:
        """Read as many rows as ``out`` has, from ``start`` on.

        :raises DamagedStoreError: If the shard is not there, or not the one that it should be.
        """
        shard, file = self._shard(index)
        place = shard.layout.place(name)
        if start + len(out) > place.shape[0]:
            raise self._damaged(index, f"has {place.shape[0]:,} rows of {name}, and {start + len(out):,} are asked of it")
        if len(out):
            offset = place.offset + start * out.strides[0]
            if not read_exactly(file.descriptor, bytes_view(out), offset):
                raise self._damaged(index, "is cut off")

    def close(self) -> None:
        """Close the files; nothing can be read any more."""
        self._is_closed = True
        self._files.clear()

    def _layout(self, index: int) -> ShardLayout:
        return self._known[index].layout if index in self._known else self._shard(index)[0].layout

    def _shard(self, index: int) -> tuple[KnownShard, _OpenFile]:
        # Threads may come here at once: at worst they open a file twice, and the one that is not kept is closed.
        file = self._files.pop(index, None)
        if file is None:
            file = self._open(index)
            while len(self._files) >= MAX_OPEN_FILES:
                with contextlib.suppress(StopIteration, RuntimeError):
                    self._files.pop(next(iter(self._files)), None)
        self._files[index] = file
        return self._known[index], file

    def _open(self, index: int) -> _OpenFile:
        if self._is_closed:
            raise StoreError(f"cannot read the store {self._store}: it has been closed. Open it again with open_store.")
        path = f"{self._folder}/{self.records[index].name}"
        if self._fetch is not None and not os.path.lexists(path):
            self._fetch(self.records[index])
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode) or stat.S_ISLNK(os.lstat(self._folder).st_mode):
                raise self._damaged(index, "is a link or no file, and is not followed")
            if found.st_size != self.records[index].size_bytes:
                raise self._damaged(index, f"has {found.st_size:,} bytes, expected {self.records[index].size_bytes:,}")
            file = _OpenFile(path)
            version = _version(os.fstat(file.descriptor))
        except FileNotFoundError:
            raise self._damaged(index, "is missing") from None
        except OSError as error:
            raise self._damaged(index, f"cannot be opened ({error.strerror})") from None
        if index not in self._known or self._known[index].version != version:
            self._known[index] = self._check(index, Path(path), version)
        return file

    def _check(self, index: int, path: Path, version: tuple[int, ...]) -> KnownShard:
        record = self.records[index]
        try:
            with contextlib.closing(SealedFile(path)) as file:
                structure, layout = file.structure, file.layout()
                identity = file.json(names.PROVENANCE)["identity"]
                ids = [file.text(names.SENTENCE_ID).read(at, at + 1) for at in (0, record.num_sentences - 1)]
        except (StoreError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(index, f"cannot be used ({error})") from None
        counts = (record.num_documents, record.num_sentences, record.num_words, record.num_subwords)
        if tuple(structure.counts[name] for name in names.COUNTS) != counts or structure.views != self._views:
            raise self._damaged(index, "is that of another store: it has other counts or views")
        if identity != self._origin.of(record.start):
            raise self._damaged(index, "is that of another store: it was made of something else")
        if self._ids_at and ids != [self._ids_at(at, at + 1) for at in (record.start, record.stop - 1)]:
            raise self._damaged(index, "is that of another store, or of another place: it has other sentences")
        return KnownShard(layout, version)

    def _damaged(self, index: int, what: str) -> DamagedStoreError:
        return DamagedStoreError(
            f"the store {self._store} is damaged: its shard {self._folder.name}/{self.records[index].name} {what}. Bring the "
            f"right one there; or remove {self._store.name} and run the same extract command again: it makes that shard anew."
        )


class ShardedColumn(Column):
    """The rows of a dataset that lies in the shards.

    :param bounds: First row of each shard, and the number of all rows.
    """

    def __init__(
        self,
        shards: ShardFiles,
        path: Path,
        name: str,
        bounds: Sequence[int],
        dtype: np.dtype[Any],
        row_shape: tuple[int, ...],
    ) -> None:
        super().__init__(path, name, (bounds[-1], *row_shape), dtype)
        self._shards = shards
        self._bounds = list(bounds)

    def _prepare(self, start: int, stop: int) -> None:
        """Open the shards, which shows that they are as large as the table says, before memory is taken for their rows."""
        for index in range(bisect_right(self._bounds, start) - 1, bisect_left(self._bounds, stop)):
            self._shards.check(index)

    def _read_into(self, out: np.ndarray[Any, Any], start: int) -> None:
        row, stop = start, start + len(out)
        index = bisect_right(self._bounds, row) - 1
        while row < stop:
            first, last = self._bounds[index : index + 2]
            end = min(stop, last)
            if end > row:
                self._shards.read_into(index, self._name, row - first, out[row - start : end - start])
            row, index = max(row, end), index + 1


def _version(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
