"""Memory that is free within the process goes back to the system before it is too much.

The tensors of a batch are large and of many sizes. glibc keeps what they leave, in pieces that the next ones do not always fit
into: a run would grow for hours, to several times what it uses.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path

_MOST_KEPT_BYTES = 512 * 2**20
"""Giving back, and taking again, a gigabyte costs from a tenth of a second to two seconds."""

_STATM = Path("/proc/self/statm")


class FreeMemory:
    """Watches how much memory the process has; where that is not known, or the C library is not glibc, nothing happens."""

    def __init__(self) -> None:
        self._last = _resident_bytes()

    def give_back(self) -> None:
        """Give back pages that nothing is in, if the process has half a gigabyte more than after the last time or at first."""
        if _resident_bytes() > self._last + _MOST_KEPT_BYTES and (trim := _malloc_trim()) is not None:
            trim(0)
            self._last = _resident_bytes()


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
