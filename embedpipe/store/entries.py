"""Groups and datasets of a file by their paths: each is opened once, and none that is not plainly in this file.

A virtual dataset that is open takes about ten kilobytes for each of its sources, so there is never more than one.
"""

from __future__ import annotations

import math
from typing import Any

import h5py

_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF)
"""Those that are part of HDF5 or h5py; for any other, HDF5 looks for a library to load."""

_MOST_COMPRESSED = 1100
"""Deflate makes no file more than 1,032 times as small."""


class Entries:
    """What is in an open file. A store of many shards opens each of them, so this takes HDF5's own calls and no detours.

    :param file: Stays open for as long as its entries are used.
    """

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        self._size_bytes = file.id.get_filesize()
        self._has_user_block = bool(file.userblock_size)
        self._found: dict[str, Any] = {"": file}
        self._virtual: dict[str, bool] = {}
        self._open_virtual: str | None = None
        self._plain: dict[str, Any] = {}
        self._is_whole: dict[str, bool] = {}

    def find(self, name: str) -> Any:
        """The group or dataset at ``name``.

        :raises ValueError: If it is missing, or a link on the way to it leads elsewhere.
        """
        path = ""
        for link in name.split("/"):
            parent, path = self._found[path], f"{path}/{link}" if path else link
            if path not in self._found:
                self.close_virtual()
                self._found[path] = entry = _linked(parent, link, name)
                if path not in self._virtual:
                    self._virtual[path] = _is_virtual(entry)
                if self._virtual[path]:
                    self._open_virtual = path
        return self._found[path]

    def close_virtual(self) -> None:
        """Close the virtual dataset that is open, if there is one."""
        if self._open_virtual is not None:
            del self._found[self._open_virtual]
        self._open_virtual = None

    def has_link(self, name: str) -> bool:
        """Whether there is a link of that name, wherever it leads."""
        group, _, link = name.rpartition("/")
        return bool(self.find(group).id.links.exists(link.encode()))

    def is_virtual(self, name: str) -> bool:
        """Whether the entry at ``name`` is a virtual dataset."""
        self.find(name)
        return self._virtual[name]

    def dataset(self, name: str) -> Any:
        """The dataset at ``name``, which must be stored in this file.

        :raises ValueError: If it is missing, linked from elsewhere, virtual or external; if reading it would load a plug-in,
            or it claims more numbers than can be in the file.
        """
        if name not in self._plain:
            dataset = self.find(name)
            if not isinstance(dataset, h5py.Dataset):
                raise ValueError(f"{name} is not a dataset")
            self._check_storage(name, dataset)
            self._plain[name] = dataset
        return self._plain[name]

    def offset(self, name: str) -> int:
        """Where in the file the rows of a dataset begin, which lie in one piece.

        :raises ValueError: If they do not, or as :meth:`dataset`.
        """
        dataset = self.dataset(name)
        offset = dataset.id.get_offset() if self._is_whole[name] else None
        if dataset.size and (offset is None or self._has_user_block):
            raise ValueError(f"{name} does not lie in one piece")
        return offset or 0

    def _check_storage(self, name: str, dataset: h5py.Dataset) -> None:
        layout = dataset.id.get_create_plist()
        kind = layout.get_layout()
        if kind == h5py.h5d.VIRTUAL or layout.get_external_count():
            raise ValueError(f"{name} takes its numbers from another file")
        filters = [layout.get_filter(index)[0] for index in range(layout.get_nfilters())]
        if unknown := [number for number in filters if number not in _FILTERS]:
            raise ValueError(
                f"{name} is stored with the HDF5 filter {unknown[0]}, which is not one of deflate, shuffle, fletcher32, lzf"
            )
        num_bytes = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
        if num_bytes > self._size_bytes * (_MOST_COMPRESSED if filters else 1):
            raise ValueError(f"{name} claims {num_bytes:,} bytes, and the file has {self._size_bytes:,}")
        self._is_whole[name] = kind == h5py.h5d.CONTIGUOUS


def _is_virtual(entry: Any) -> bool:
    is_elsewhere = isinstance(entry, h5py.Dataset) and entry.id.get_offset() is None
    return is_elsewhere and bool(entry.id.get_create_plist().get_layout() == h5py.h5d.VIRTUAL)


def _linked(group: Any, link: str, name: str) -> Any:
    """What a hard link of a group leads to, on the way to ``name``."""
    if not isinstance(group, h5py.Group) or not group.id.links.exists(link.encode()):
        raise ValueError(f"{name} is missing")
    if group.id.links.get_info(link.encode()).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"{name} is a link to another place")
    found = h5py.h5o.open(group.id, link.encode())
    if isinstance(found, h5py.h5d.DatasetID):
        return h5py.Dataset(found, readonly=True)  # it remembers its shape and type
    return h5py.Group(found) if isinstance(found, h5py.h5g.GroupID) else found
