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
    value = _scalar(entry, name, "S")
    return None if value is None else bytes(value).decode("utf-8", "surrogatepass")


def read_integer(entry: Any, name: str) -> int | None:
    """Read an integer; ``None`` where there is none."""
    value = _scalar(entry, name, "iu")
    return None if value is None else int(value)


def _scalar(entry: Any, name: str, kinds: str) -> Any:
    """A single value of one of some kinds of types, by HDF5's own calls: ten times as fast as by ``entry.attrs``."""
    if not h5py.h5a.exists(entry.id, name.encode()):
        return None
    attribute = h5py.h5a.open(entry.id, name.encode())
    if attribute.dtype.kind not in kinds or attribute.shape != ():
        return None
    value = np.empty((), attribute.dtype)
    attribute.read(value)
    return value[()]
