"""A file that HDF5 has open, for those who read its rows past HDF5.

It knows nothing of what is in the file. So a column can hold it, and the file its columns, without a circle: what is let go of
is gone at once, with its file descriptor, also where nobody has closed it.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

from embedpipe.errors import StoreError

if TYPE_CHECKING:
    import h5py


class OpenedFile:
    """Open until it is closed, or nothing of it is in use any more.

    :param path: Of the file, for errors.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self._descriptor: int | None = int(file.id.get_vfd_handle())
        self._memory_map: mmap.mmap | None = None

    @property
    def descriptor(self) -> int:
        """The file descriptor, which HDF5 owns.

        :raises StoreError: If the file has been closed.
        """
        if self._descriptor is None:
            raise StoreError(f"cannot read the store {self.path}: it has been closed. Open it again with open_store.")
        return self._descriptor

    def memory_map(self) -> mmap.mmap:
        """The whole file, read-only; one map serves all columns, as each holds a file descriptor."""
        if self._memory_map is None:
            self._memory_map = mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_READ)
        return self._memory_map

    def close(self) -> None:
        """Close it; nothing can be read any more."""
        self._descriptor = None
        self._memory_map = None
        self._file.close()
