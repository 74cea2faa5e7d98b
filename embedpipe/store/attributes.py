"""Attributes: integers, and strings of fixed length.

h5py's usual strings are of variable length: they lie in a heap that has no checksum, and HDF5 can go round in it for ever when
a byte of it is broken. Strings of fixed length lie in the object's header, which has a checksum.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from embedpipe.store.text import encode


def write_string(entry: Any, name: str, text: str) -> None:
    """Put a string on a group or dataset."""
    data = encode(text)
    entry.attrs.create(name, np.bytes_(data), dtype=h5py.string_dtype("utf-8", max(1, len(data))))


def read_string(entry: Any, name: str) -> str | None:
    """Read a string of fixed length; ``None`` where there is none."""
    if name not in entry.attrs or entry.attrs.get_id(name).dtype.kind != "S" or entry.attrs.get_id(name).shape != ():
        return None
    return bytes(entry.attrs[name]).decode("utf-8", "surrogatepass")


def read_integer(entry: Any, name: str) -> int | None:
    """Read an integer; ``None`` where there is none."""
    if name not in entry.attrs or entry.attrs.get_id(name).dtype.kind not in "iu" or entry.attrs.get_id(name).shape != ():
        return None
    return int(entry.attrs[name])
