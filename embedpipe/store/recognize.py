"""What a file is, told from its first bytes: a store, or else something to name in the error."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import h5py

from embedpipe.store.attributes import read_string
from embedpipe.store.format import FORMAT, FORMAT_NAME

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_SIGNATURES = (
    (b"\x93NUMPY", "a numpy file (.npy)"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"%PDF", "a PDF file"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
)


def open_hdf5(path: Path) -> Any:
    """Open an HDF5 file for reading.

    A file that this process has open already can only be opened with the same kind of locking.
    """
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if "lock" not in str(error):
            raise
        return h5py.File(path, "r", locking=False)


def describe(path: Path) -> str:
    """Say what the file at ``path`` looks like, with its article: ``"a text file"``."""
    if not path.is_file():
        return "a folder" if path.is_dir() else "a device or pipe"
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return "an unreadable file"
    if not head:
        return "an empty file"
    if head.startswith(HDF5_SIGNATURE):
        return _describe_hdf5(path)
    if head.startswith(b"PK\x03\x04"):
        return _describe_zip(path)
    for signature, description in _SIGNATURES:
        if head.startswith(signature):
            return description
    return "a text file" if _is_text(head) else "a binary file of an unknown kind"


def is_store(path: Path) -> bool:
    """Whether the file at ``path`` says that it is a store, of any version; it may still be damaged."""
    try:
        with open_hdf5(path) as file:
            return read_string(file, FORMAT) == FORMAT_NAME
    except (OSError, RuntimeError, ValueError, TypeError, KeyError):
        return False


def _describe_hdf5(path: Path) -> str:
    try:
        with open_hdf5(path) as file:
            names = sorted(file)
    except (OSError, RuntimeError, ValueError):
        return "an HDF5 file that cannot be read"
    if "sentence_to_index" in names:
        return "an HDF5 file of the `allennlp elmo` command"
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"an HDF5 file with the entries {shown}" if names else "an HDF5 file without entries"


def _describe_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            is_numpy = any(name.endswith(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        is_numpy = False
    return "a numpy archive (.npz)" if is_numpy else "a zip archive"


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut by the end of the sample
    return True
