"""The file that HDF5 writes to.

HDF5 cannot close a file that it cannot write to: on a full disk the library prints dozens of tracebacks and then ends the
process with a segmentation fault. So it writes through this stream, which always takes what it is given, keeps the first error,
and hands it to the writer.
"""

from __future__ import annotations

import io
import os
from typing import Any


class ErrorKeepingStream(io.RawIOBase):
    """A binary file over an open descriptor, as h5py's ``fileobj`` driver wants it.

    :param descriptor: Open for reading and writing; it stays open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self.error: BaseException | None = None

    def check(self) -> None:
        """Raise the first error, if there was one, as it came."""
        if self.error is not None:
            raise self.error

    def write(self, data: Any) -> int:
        """Write all of the data, or note why that failed."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and self.error is None:
                written = os.pwrite(self._descriptor, rest, self._position)
                self._position += written
                rest = rest[written:]
        except BaseException as error:  # Ctrl-C as well, of which HDF5 would make a failed write
            self.error = error
        self._position += len(rest)
        return size

    def readinto(self, buffer: Any) -> int:
        """Read back."""
        num_read = os.preadv(self._descriptor, [buffer], self._position)
        self._position += num_read
        return num_read

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file, or note why that failed."""
        size = self._position if size is None else size
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def flush(self) -> None:
        """Nothing is held back."""
