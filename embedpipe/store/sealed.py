"""One file of a store: opened for reading, checked, and its columns by name."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
from pathlib import Path
from typing import Any

from embedpipe.errors import DamagedStoreError, FormatVersionError, NotAStoreError, StoreError
from embedpipe.store import format as names
from embedpipe.store.attributes import read_integer, read_string
from embedpipe.store.columns import Column, StoredColumn, StoredText, damaged
from embedpipe.store.entries import Entries
from embedpipe.store.layout import Place, ShardLayout
from embedpipe.store.lock import find_writer
from embedpipe.store.manifest import read_manifest, shards_folder
from embedpipe.store.opened import OpenedFile
from embedpipe.store.recognize import HDF5_SIGNATURE, describe, open_hdf5
from embedpipe.store.structure import check_structure


class SealedFile:
    """A file of a store that takes nothing from other files, open for reading. Nothing is loaded before it is asked for.

    :param path: The file.
    :raises StoreError: If it is not there or not readable; :class:`NotAStoreError`, :class:`FormatVersionError` and
        :class:`DamagedStoreError` where it is there and cannot be used.
    """

    may_have_shards = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns: dict[str, Column] = {}
        self._vocabularies: dict[str, list[str]] = {}
        self._check_file()
        file = self._open()
        try:
            self.format_version = self._check_format(file)
            with damaged(path, "its structure"):
                self._entries = Entries(file)
                self.structure = check_structure(self._entries, may_have_shards=self.may_have_shards)
                self._opened = OpenedFile(path, file)
        except BaseException:
            file.close()
            raise

    def column(self, name: str) -> Column:
        """The column at ``name``.

        :raises StoreError: If the file has been closed.
        """
        if name not in self._columns:
            _ = self._opened.descriptor
            with damaged(self.path, name):
                self._columns[name] = self._make_column(name)
        return self._columns[name]

    def layout(self) -> ShardLayout:
        """Where the rows of every dataset are.

        :raises DamagedStoreError: If one does not lie in one piece.
        """
        with damaged(self.path, "where its rows are"):
            return ShardLayout.of({path: self._place(path) for path in self.structure.own_datasets}, self.structure.labels)

    def text(self, name: str) -> StoredText:
        """The packed text at ``name``."""
        return StoredText(self.column(names.bytes_of(name)), self.column(names.offsets_of(name)))

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object at ``name``."""
        column = self.column(name)
        with damaged(self.path, name):
            return dict(json.loads(column.read(0, len(column)).tobytes()))

    def vocabulary(self, label: str) -> list[str]:
        """The values of a label, in the order in which they were first seen."""
        if label not in self._vocabularies:
            text = self.text(f"{self.structure.labels[label].group}/{names.VOCABULARY}")
            values = text.read(0, len(text))
            if len(set(values)) < len(values):
                raise DamagedStoreError(f"the store {self.path} is damaged: label {label!r} has one value twice.")
            self._vocabularies[label] = values
        return self._vocabularies[label]

    def close(self) -> None:
        """Close it; nothing can be read any more."""
        self._columns.clear()  # a memory-mapped one holds the file open
        self._opened.close()

    def _make_column(self, name: str) -> Column:
        return StoredColumn(self._entries.dataset(name), self._opened)

    def _place(self, name: str) -> Place:
        dataset = self._entries.dataset(name)
        return Place(self._entries.offset(name), dataset.dtype, dataset.shape)

    def _check_file(self) -> None:
        path = self.path
        try:
            size = path.stat().st_size
            if not path.is_file() or not size:
                raise NotAStoreError(f"{path} is not an embedpipe store: it is {describe(path)}.")
            with path.open("rb") as file:
                head = file.read(len(HDF5_SIGNATURE))
        except FileNotFoundError:
            raise StoreError(f"cannot open the store {path}: there is no such file.{_hint(path)}") from None
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            raise StoreError(f"cannot open the store {path}: {reason}.") from None
        if head != HDF5_SIGNATURE:
            raise NotAStoreError(f"{path} is not an embedpipe store: it is {describe(path)}.")

    def _open(self) -> Any:
        try:
            return open_hdf5(self.path)
        except (OSError, RuntimeError, ValueError) as error:
            text = str(error)
            what = f"it is cut off at {self.path.stat().st_size:,} bytes" if "truncated" in text else f"HDF5 says: {text}"
            raise DamagedStoreError(f"the store {self.path} is damaged: {what}. Extract it again.") from None

    def _check_format(self, file: Any) -> int:
        with damaged(self.path, "its format"):
            found = read_string(file, names.FORMAT)
            written_by = read_string(file, names.WRITTEN_BY)
            version = read_integer(file, names.VERSION)
        if found != names.FORMAT_NAME:
            raise NotAStoreError(f"{self.path} is not an embedpipe store: it is {describe(self.path)}.")
        if version is None or version < 1:
            raise DamagedStoreError(f"the store {self.path} is damaged: its format version is {version}. Extract it again.")
        if version > names.FORMAT_VERSION:
            raise FormatVersionError(
                f"cannot open the store {self.path}: embedpipe {written_by} wrote it in format version {version}, and this is "
                f"embedpipe {importlib.metadata.version('embedpipe')}, which reads up to version {names.FORMAT_VERSION}. "
                "Upgrade: pip install --upgrade embedpipe."
            )
        return version


def _hint(path: Path) -> str:
    folder = shards_folder(Path(os.path.realpath(path)))
    writer, found = find_writer(folder), None
    with contextlib.suppress(StoreError, OSError):
        found = read_manifest(folder)
    if writer:
        committed = f"{found.num_sentences if found else 0:,} sentences are committed"
        return f" {writer[0].upper()}{writer[1:]} is writing it: {committed}. Wait for it to end."
    if found:
        return (
            f" An unfinished run with {found.num_sentences:,} committed sentences is in {folder}: run the same extract command "
            "again, and it goes on from there."
        )
    return ""
