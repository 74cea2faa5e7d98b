"""What an extraction leaves free goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from embedpipe.free_memory import FreeMemory, _malloc_trim

_HOLES = """
import ctypes
from embedpipe import free_memory

def resident_kib():
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmRSS:")).split()[1])

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
free_memory._MOST_KEPT_BYTES = 64 * 2**20
memory = free_memory.FreeMemory()
for number in (500, 1000):
    pieces = [libc.malloc(100_000) for _ in range(number)]  # below the size that glibc takes from the system by itself
    for piece in pieces:
        ctypes.memset(piece, 1, 100_000)
    for piece in pieces[::2] + pieces[1:-1:2]:  # all but the last: nothing is free at the end of the heap
        libc.free(piece)
    before = resident_kib()
    memory.give_back()
    print(before - resident_kib())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim") or sys.platform != "linux", reason="glibc on Linux only")
def test_free_pieces_between_used_ones_go_back_when_they_are_many() -> None:
    done = subprocess.run([sys.executable, "-c", _HOLES], check=True, capture_output=True, text=True)
    few, many = map(int, done.stdout.split())
    assert few < 1000 and many > 50_000


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    _malloc_trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr("embedpipe.free_memory._MOST_KEPT_BYTES", -1)
    FreeMemory().give_back()
    assert _malloc_trim() is None
    _malloc_trim.cache_clear()
