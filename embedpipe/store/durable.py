"""What must reach the disk, and in which order. Every write, rename and fsync of a store goes through here.

A file is written under a name that ends in ``.partial``, brought to the disk and renamed, and then its folder is brought to the
disk: a file at its final name is whole. The order of the steps is what a crash cannot break, so each step announces itself to
:func:`commit_point`, where the crash tests end the process.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from embedpipe.errors import StoreError
from embedpipe.store.format import PARTIAL, SHARDS_FOLDER

COMMIT_POINTS = tuple(
    f"{when} {step}: {what}"
    for what, steps in {
        "shard": ("write", "fsync", "rename", "fsync of folder"),
        "manifest": ("write", "fsync", "rename", "fsync of folder"),
        "line": ("write", "fsync"),
        "store": ("write", "fsync", "rename", "fsync of folder"),
    }.items()
    for step in steps
    for when in ("before", "during", "after")
    if when != "during" or step == "write"
)
"""Every name that :func:`commit_point` is called with; ``line`` is a line of the manifest, ``manifest`` the whole of it."""

_KEPT = "What was committed is kept"
_GONE = (errno.ENOENT, errno.ESTALE, errno.ENODEV, errno.ENOTCONN)
_FAILED = (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ETIMEDOUT)
_GATHERED_BYTES = 1 << 20
_FLUSHED_BYTES = 1 << 25


def commit_point(name: str) -> None:
    """Called before and after each step; does nothing. The crash tests put something else here."""


def partial_of(path: Path) -> Path:
    """Where the file for ``path`` is written before it is whole."""
    return path.with_name(path.name + PARTIAL)


def write_file(partial: Path, pieces: Iterable[Any], what: str, *, checksum: bool = False) -> tuple[int, str]:
    """Write a new file front to back and bring it to the disk; it keeps its name.

    :param pieces: Contiguous arrays or bytes. They must not change before this returns.
    :param checksum: Compute the sha256 as well, in a thread beside the writing.
    :returns: Size in bytes, and the sha256 in hexadecimal (empty without ``checksum``).
    """
    digest = hashlib.sha256()
    commit_point(f"before write: {what}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with ThreadPoolExecutor(1, "sha256") as hashing, ThreadPoolExecutor(1, "flush") as flushing:
            background = []
            size = 0
            for piece in _gathered(pieces):
                if checksum:
                    background.append(hashing.submit(digest.update, piece))
                _write_all(descriptor, piece, what)
                if (size + len(piece)) // _FLUSHED_BYTES > size // _FLUSHED_BYTES:  # the last fsync then finds little to do
                    background.append(flushing.submit(os.fsync, descriptor))
                size += len(piece)
            commit_point(f"after write: {what}")
            _fsync(descriptor, what)
        for future in background:
            future.result()
    finally:
        os.close(descriptor)
    return size, digest.hexdigest() if checksum else ""


def rename(partial: Path, path: Path, what: str) -> None:
    """Bring a file that is on the disk to its final name, and that to the disk."""
    commit_point(f"before rename: {what}")
    partial.replace(path)
    commit_point(f"after rename: {what}")
    fsync_folder(path.parent, what)


def append_line(path: Path, line: str, what: str = "line") -> None:
    """Append a line to a file and bring it to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        commit_point(f"before write: {what}")
        _write_all(descriptor, memoryview(f"{line}\n".encode()), what)
        commit_point(f"after write: {what}")
        _fsync(descriptor, what)
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path, what: str) -> None:
    """Bring the names in a folder to the disk; some file systems cannot, and then that comes with their next flush."""
    commit_point(f"before fsync of folder: {what}")
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    commit_point(f"after fsync of folder: {what}")


@contextlib.contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Turn errors of the system, at writing the store at ``path``, into ours."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: Exception) -> StoreError:
    """Say what an error of the system means for the store at ``path``."""
    code = error.errno if isinstance(error, OSError) else None
    target = Path(os.path.realpath(path))
    folder, shards = target.parent, target.with_name(target.name + SHARDS_FOLDER)
    again = "and run the same command again"
    what, advice = f"{os.strerror(code) if code else error}", ""
    if code == errno.ENOSPC:
        what = f"the disk is full ({_free(folder)})"
        advice = f"{_KEPT}: free some space {again}; or choose another disk with --output, or store float16"
    elif code == errno.EDQUOT:
        what = f"your quota on the disk of {folder} is used up"
        advice = f"{_KEPT}: free some space {again}; or choose another disk with --output, or store float16"
    elif code == errno.EFBIG:
        what = "a file would be larger than the system allows (see ulimit -f)"
        advice = f"{_KEPT}: raise the limit {again}"
    elif code == errno.EROFS:
        what = f"the disk of {folder} is read-only"
        advice = f"{_KEPT}: make it writable {again}; or choose another path with --output"
    elif code in (errno.EACCES, errno.EPERM):
        what, advice = f"the folder {folder} is not writable for you", "Choose another path with --output"
    elif code in (errno.ENOTDIR, errno.EEXIST):
        what, advice = f"a part of the folder {folder} is a file", "Choose another path with --output"
    elif code in _GONE and not shards.is_dir():
        what = f"the folder {shards} is gone; it was removed or renamed, or its disk is not mounted any more"
        advice = f"What was committed is in it: bring it back {again}"
    elif code in _FAILED:
        what = f"the disk of {folder} failed ({what})"
        advice = f"What was committed had been brought to the disk before: see to the disk {again}; it checks what is there"
    return StoreError(f"cannot write the store {path}: {what}." + (f" {advice}." if advice else ""))


def _free(folder: Path) -> str:
    try:
        space = os.statvfs(folder)
    except OSError:
        return f"in {folder}"
    if space.f_files and not space.f_favail:
        return f"no more files can be made in {folder}"
    return f"{space.f_bavail * space.f_frsize:,} bytes are free in {folder}"


def _gathered(pieces: Iterable[Any]) -> Iterable[memoryview]:
    """Bytes of the pieces; small ones are put together, large ones are passed on as they are."""
    gathered = bytearray()
    for piece in pieces:
        data = memoryview(piece).cast("B")
        if len(gathered) + len(data) < _GATHERED_BYTES:
            gathered += data
            continue
        if gathered:
            yield memoryview(gathered)
            gathered = bytearray()
        yield data
    if gathered:
        yield memoryview(gathered)


def _write_all(descriptor: int, data: memoryview, what: str) -> None:
    half = max(1, len(data) // 2)  # in two parts, so that a crash between them can be tried
    for part in (data[:half], data[half:]):
        while part:
            part = part[os.write(descriptor, part) :]
        commit_point(f"during write: {what}")


def _fsync(descriptor: int, what: str) -> None:
    commit_point(f"before fsync: {what}")
    os.fsync(descriptor)
    commit_point(f"after fsync: {what}")
