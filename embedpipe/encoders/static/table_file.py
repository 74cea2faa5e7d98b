"""How a table lies in its file: sections one behind the other, what is in them at the end.

::

    vectors   (num_rows, vector_size) float32, at 0     the words' vectors, in the order of the source; then fastText's buckets
    checks    (num_rows,) uint32                        crc32 of each row
    words     (num_bytes,) uint8                        the words as they are in the source, one behind the other
    ends      (num_words,) int64                        where each of them ends
    hashes    (num_words,) uint32, ascending            crc32 of each word
    order     (num_words,) int32                        the word that each hash is of; the first one of equal words first
    mean      (vector_size,) float32                    of all words
    contents  JSON; then its length, its crc32, and MAGIC
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

MAGIC = b"embedpipe table 1"
SMALL_SECTIONS = ("words", "ends", "hashes", "order", "mean", "checks")
"""Those that are checked whenever a table is opened; rows of vectors are when they are used."""

_TAIL = struct.Struct(f"<QI{len(MAGIC)}s")
_ALIGNMENT = 64


class DamagedTableError(Exception):
    """A file is no whole table; it can be made anew."""


def pad(file: BinaryIO) -> int:
    """Write zeros up to where a section may begin, and say where that is."""
    file.write(bytes(-file.tell() % _ALIGNMENT))
    return file.tell()


def write_contents(file: BinaryIO, contents: Mapping[str, Any]) -> None:
    """End a table."""
    text = json.dumps(contents, sort_keys=True).encode()
    file.write(text + _TAIL.pack(len(text), zlib.crc32(text), MAGIC))


def read_contents(file: BinaryIO) -> dict[str, Any]:
    """What :func:`write_contents` wrote.

    :raises DamagedTableError: If the file does not end as a table does.
    """
    size = file.seek(0, 2)
    if size < _TAIL.size:
        raise DamagedTableError
    file.seek(size - _TAIL.size)
    length, check, magic = _TAIL.unpack(file.read(_TAIL.size))
    if magic != MAGIC or length > size - _TAIL.size:
        raise DamagedTableError
    file.seek(size - _TAIL.size - length)
    text = file.read(length)
    if zlib.crc32(text) != check:
        raise DamagedTableError
    contents: dict[str, Any] = json.loads(text)
    return contents
