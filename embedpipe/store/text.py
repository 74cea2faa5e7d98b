"""Packed text: the UTF-8 bytes of all strings in one array, and the offsets of each.

Two million variable-length HDF5 strings take 15 times as long to write as the same strings packed, and twice the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import IntArray

_SURROGATES = "surrogatepass"
"""A lone surrogate, which ids of a JSON file may hold, becomes three bytes instead of an error: ids may hold any character."""


def encode(text: str) -> bytes:
    """The bytes of one string."""
    return text.encode("utf-8", _SURROGATES)


def pack(strings: Sequence[str]) -> tuple[npt.NDArray[np.uint8], IntArray]:
    """Pack strings.

    :returns: Bytes, *shape* ``(num_bytes,)``, and offsets into them, *shape* ``(num_strings + 1,)``, starting at 0.
    """
    whole = "".join(strings)
    encoded = strings if whole.isascii() else [encode(string) for string in strings]  # one character a byte: not one by one
    offsets = np.zeros(len(strings) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
    return np.frombuffer(encode(whole), np.uint8), offsets


def unpack(data: npt.NDArray[np.uint8], offsets: IntArray) -> list[str]:
    """Undo :func:`pack`; offsets may start anywhere, ``data`` starts at ``offsets[0]``.

    :raises UnicodeDecodeError: If the bytes are not UTF-8.
    """
    packed = data.tobytes()
    ends = (offsets - offsets[0]).tolist() if len(offsets) else []
    if packed.isascii():  # one character a byte: slices of one string, several times as fast
        whole = packed.decode("ascii")
        return [whole[start:end] for start, end in pairwise(ends)]
    return [packed[start:end].decode("utf-8", _SURROGATES) for start, end in pairwise(ends)]
