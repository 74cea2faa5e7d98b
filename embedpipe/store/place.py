"""The path of a store and the shards folder beside it: what may be there, who may write there, and what may be removed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from embedpipe.errors import StoreError
from embedpipe.store.durable import fsync_folder, rename, write_error
from embedpipe.store.format import ID_HASHES, LOCK, MANIFEST
from embedpipe.store.lock import WriterLock
from embedpipe.store.manifest import ShardRecord, read_manifest, shards_folder
from embedpipe.store.recognize import describe, is_store
from embedpipe.store.sealed import SealedFile
from embedpipe.store.store_file import StoreFile
from embedpipe.store.unfinished import foreign_entry, remove_strays


class StorePlace:
    """Where a store is, or will be. Only what embedpipe has put there is ever removed.

    :param path: As the user gave it; a symbolic link is followed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.target = Path(os.path.realpath(path))
        self.folder = shards_folder(self.target)
        self._published: tuple[ShardRecord, ...] | None = None
        """Once a store has been brought to the path, the shards that it is made of."""

    @contextmanager
    def locked(self, *, may_replace: bool) -> Iterator[None]:
        """Be the only writer of the store. Afterwards what was not committed is cleared away.

        :param may_replace: Whether a store may be there.
        :raises StoreError: If another process is writing it, or something is there that must not be replaced.
        """
        if not may_replace:
            self.clear_up()
        self.check_free(or_store=may_replace)
        if self.folder.is_symlink():
            raise StoreError(f"cannot write the store {self._path}: {self.folder} is a symbolic link; it must be a folder.")
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(self.folder / LOCK, self._path)
        try:
            self.check_free(or_store=may_replace)  # something may have come meanwhile
            yield
        finally:
            self._leave(lock)

    def check_free(self, *, or_store: bool = False) -> None:
        """Check that nothing is at the path, or nothing but a store."""
        doing = f"cannot write the store {self._path}"
        try:
            mode = self.target.stat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise write_error(self._path, error) from None
        if stat.S_ISDIR(mode):
            raise StoreError(f"{doing}: it is a folder. Give the path of a file, such as features.h5.")
        if not is_store(self.target):
            raise StoreError(
                f"{doing}: {describe(self.target)} is already there, and only an embedpipe store is ever replaced. Choose "
                "another path, or move that file away."
            )
        if not or_store:
            raise StoreError(
                f"{doing}: a store is already there. Choose another path with --output, or replace it with --restart (in "
                "Python: restart=True)."
            )

    def publish(self, partial: Path, shards: Iterable[ShardRecord], *, may_replace: bool) -> None:
        """Bring a store to the path; from here on it is there. Shards that a single file came from are removed.

        :param partial: The file, next to its shards.
        :param shards: What it is made of; none, if it is a single file.
        :param may_replace: Whether a store may be there.
        :raises StoreError: If something has come there meanwhile.
        """
        self.check_free(or_store=may_replace)
        rename(partial, self.target, "store")
        self._published = tuple(shards)
        if not self._published:
            self.remove_shards()

    def unfinished_identity(self) -> Mapping[str, Any] | None:
        """What the shards of an unfinished run are made of; ``None`` where there is none that can be looked at.

        :raises DamagedStoreError: If its manifest cannot be read.
        """
        found = None
        with contextlib.suppress(OSError):
            found = read_manifest(self.folder)
        return found.identity if found is not None and found.shards else None

    def remove_store(self) -> None:
        """Remove what is there, finished or not.

        :raises StoreError: If something in the shards folder is not of embedpipe.
        """
        if foreign := foreign_entry(self.folder):
            raise StoreError(
                f"cannot start the store {self._path} over: {foreign} is not of embedpipe, and its folder would be removed. "
                "Move it away."
            )
        if self.target.exists():
            self.target.unlink()
            fsync_folder(self.target.parent, "store")
        self.remove_shards()

    def remove_shards(self) -> None:
        """Remove the shards, finished or not, and then the manifest."""
        remove_strays(self.folder, ())
        (self.folder / MANIFEST).unlink(missing_ok=True)

    def clear_up(self) -> None:
        """Remove what a run that was killed right after the store came to its path has left: its lock, and maybe more."""
        with contextlib.suppress(StoreError, OSError):
            self._clear_up_after_publishing()

    def _clear_up_after_publishing(self) -> None:
        if not (self.folder / LOCK).exists() or not is_store(self.target):
            return
        lock = WriterLock(self.folder / LOCK, self._path)
        try:
            found = read_manifest(self.folder)
            is_one = found and len(found.shards) == 1 and not found.origin.grown_from
            if found and is_one and self._is_made_of(self.folder / found.shards[0].name):
                self.remove_shards()
        finally:
            self._leave(lock)

    def _is_made_of(self, shard: Path) -> bool:
        """Whether the single file at the path has the sentences of a shard, which may be removed already."""
        with contextlib.closing(StoreFile(self.target)) as file:
            if file.shards or not shard.exists():
                return not file.shards
            with contextlib.closing(SealedFile(shard)) as source:
                is_same = (file.structure.counts, file.structure.views) == (source.structure.counts, source.structure.views)
                return is_same and np.array_equal(file.column(ID_HASHES).mapped(), source.column(ID_HASHES).mapped())

    def _leave(self, lock: WriterLock) -> None:
        """Clear away what was not committed; keep what was, and what the store at the path is made of."""
        with contextlib.suppress(OSError):
            try:
                self._clear_away()
            finally:
                lock.release()
            self.folder.rmdir()  # if nothing is left in it

    def _clear_away(self) -> None:
        with contextlib.suppress(StoreError):
            found, of_store = read_manifest(self.folder), self._shards_of_store()
            known = None if found is None or of_store is None else [record.name for record in (*found.shards, *of_store)]
            remove_strays(self.folder, known)
            if found and not found.shards:
                (self.folder / MANIFEST).unlink()

    def _shards_of_store(self) -> tuple[ShardRecord, ...] | None:
        """The shards of the store at the path, none if there is no store; ``None`` where that cannot be told."""
        if self._published is not None:
            return self._published
        if not is_store(self.target):
            return None if self.target.exists() else ()
        with contextlib.suppress(StoreError), contextlib.closing(StoreFile(self.target)) as file:
            return file.shards
        return None
