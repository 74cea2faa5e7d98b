"""A file of vectors as a stream of bytes: uncompressed, hashed on the way, at most a few megabytes in memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_GZIP = b"\x1f\x8b"
_BLOCK = 2**20
_LONGEST_NAME = 2**16


class Source:
    """A file of vectors, opened by :func:`open_source`.

    :param path: Named in messages.
    """

    def __init__(self, path: Path, stream: BinaryIO, raw: _Hashed) -> None:
        self.path = path
        self._stream = stream
        self._raw = raw
        self._buffer = b""
        self._position = 0

    def take(self, size: int, what: str) -> bytes:
        """The next ``size`` bytes.

        :param what: They are, for the message.
        :raises EncoderError: If the file ends before.
        """
        while len(self._buffer) - self._position < size:
            self._read_on(what, size)
        start, self._position = self._position, self._position + size
        return self._buffer[start : self._position]

    def take_until(self, end: bytes, what: str) -> bytes:
        """The bytes up to the next ``end``, which is skipped.

        :raises EncoderError: If it does not come soon, or the file ends before.
        """
        while (found := self._buffer.find(end, self._position)) < 0:
            if len(self._buffer) - self._position > _LONGEST_NAME:
                raise self.damaged(f"{what} has no end within {_LONGEST_NAME:,} bytes")
            self._read_on(what, 1)
        start, self._position = self._position, found + 1
        return self._buffer[start:found]

    def rest(self, size: int) -> bytes:
        """At most ``size`` more bytes; none at the end of the file."""
        if self._position == len(self._buffer):
            return self._stream.read(size)
        return self.take(min(size, len(self._buffer) - self._position), "the rest")

    def lines(self) -> Iterator[list[bytes]]:
        """Lines, a few megabytes at a time; not to be mixed with the other methods."""
        while lines := self._stream.readlines(2 * _BLOCK):
            yield lines

    def sha256(self) -> str:
        """Of the file as it lies on the disk; reads it to its end."""
        while self._raw.read(_BLOCK):
            pass
        return self._raw.digest.hexdigest()

    def damaged(self, found: str, *, line: int | None = None) -> EncoderError:
        """An error that names the file, and the line."""
        place = f"{self.path}" if line is None else f"{self.path}:{line}"
        return EncoderError(f"{place}: {found}")

    def _read_on(self, what: str, size: int) -> None:
        more = self._stream.read(max(_BLOCK, size))
        if not more:
            raise self.damaged(f"the file ends within {what}; it is cut off, get it again")
        self._buffer, self._position = self._buffer[self._position :] + more, 0


class _Hashed(io.RawIOBase):
    """A file that computes its sha256 as it is read."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        size = self._file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:size])
        return size


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a file of vectors, compressed by gzip or not, whatever its name is.

    :raises EncoderError: If it cannot be read, or its compression is damaged.
    """
    try:
        opened = path.open("rb", buffering=0)
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        with opened as file:
            is_compressed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            raw = _Hashed(file)
            stream: BinaryIO = io.BufferedReader(raw, _BLOCK)
            if is_compressed:
                stream = io.BufferedReader(gzip.GzipFile(fileobj=stream), _BLOCK)
            yield Source(path, stream, raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise EncoderError(f"{path}: the compressed file is damaged or cut off ({error}); get it again") from error


def beginning(path: Path, size: int) -> bytes:
    """The first bytes of a file of vectors, uncompressed; fewer than ``size`` only if it has no more."""
    with open_source(path) as source:
        pieces, missing = [], size
        while missing and (piece := source.rest(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)
