"""A remote store, for a writer: it is made in a folder of this machine, and what is committed there is brought up."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from embedpipe.errors import DamagedStoreError, StoreError
from embedpipe.store.format import LOCK, MANIFEST, SHARDS_FOLDER
from embedpipe.store.manifest import ShardRecord, read_manifest, record_line
from embedpipe.store.remote.files import RemoteFiles, cache_folder
from embedpipe.store.remote.local_copy import STAGING, adopt
from embedpipe.store.remote.lock import RemoteLock

_UPLOADS = 4
_MOST_WAITING = 8
_MANIFEST_SECONDS = 5.0
"""The remote manifest is written whole, so not for every shard."""


class Mirror:
    """Shards are brought up whole, then a manifest that lists them, and last the store's own file.

    :param url: Of the store.
    :param restart: Replace what is there, when the first of the new is brought up.
    :raises StoreError: On entering, if another process writes the store, or the storage cannot be reached.
    """

    def __init__(self, url: str, *, restart: bool = False) -> None:
        self._remote = RemoteFiles(url)
        self._folder = cache_folder(url) / STAGING
        self._replaces = restart
        self._there: dict[str, ShardRecord] = {}
        self._waiting: list[Future[None]] = []
        self._writing = threading.Lock()
        self._written = 0.0

    @property
    def path(self) -> Path:
        """Where the store is made."""
        return self._folder / self._remote.name

    def __enter__(self) -> Mirror:
        self._lock = RemoteLock(self._remote)
        try:
            self._fetch_beginning()
        except BaseException:
            self._lock.release()
            raise
        self._uploads = ThreadPoolExecutor(_UPLOADS, thread_name_prefix="embedpipe-upload")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._uploads.shutdown(cancel_futures=True)
        try:
            if kind is not None and self._there and not self._replaces:
                with contextlib.suppress(StoreError):  # what has ended the run is what counts
                    self._write_manifest()
        finally:
            self._lock.release()
        if isinstance(error, StoreError) and str(self.path) in str(error):  # a path that the user has never seen
            raise type(error)(str(error).replace(str(self.path), self._remote.url)) from error

    def check_intact(self, shards: Iterable[ShardRecord]) -> None:
        """Check that every shard of the finished store is there and as long as it should be.

        :raises DamagedStoreError: Names the first one that is not.
        """
        sizes = self._remote.sizes()
        for shard in shards:
            if sizes.get(shard.name) != shard.size_bytes:
                raise DamagedStoreError(
                    f"the store {self._remote.url} is finished, and its shard {shard.name} is missing or of another size. "
                    "Make it anew with --restart"
                )

    def fetch_shards(self, shards: Iterable[ShardRecord]) -> None:
        """Bring shards here that are not, for a writer looks into those that it goes on with."""
        folder = self._shards_here
        for shard in shards:
            self._there[shard.name] = shard
            here = folder / shard.name
            if not here.exists() or here.stat().st_size != shard.size_bytes:
                self._remote.download(shard.name, here)

    def commit(self, record: ShardRecord) -> None:
        """Bring up a shard that is committed here, if it is not there; waits where too many are on their way.

        :raises StoreError: If one of those before could not be brought up.
        """
        if self._there.get(record.name) == record:
            return
        self._replace()
        self._waiting = [each for each in self._waiting if not each.done() or each.result()]
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.pop(0).result()
        self._waiting.append(self._uploads.submit(self._upload, record))

    def publish(self) -> None:
        """Bring up the store's own file, when all its shards are there; and let the next reader have the copy that is here."""
        for each in self._waiting:
            each.result()
        self._replace()
        shards_here = self._shards_here.exists()
        if shards_here:
            self._write_manifest()
        self._lock.check()
        self._remote.upload(self.path, None)
        if not shards_here:
            for name in self._remote.sizes().keys() - {LOCK}:
                self._remote.remove(name)
        adopt(self._remote.url, self._folder)

    @property
    def _shards_here(self) -> Path:
        return self.path.with_name(self.path.name + SHARDS_FOLDER)

    def _fetch_beginning(self) -> None:
        """Bring what is there here: the file of a finished store, or the shards of one that is not."""
        if self._replaces:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._replaces:
            return
        manifest = self._remote.read(MANIFEST)
        if self._remote.version() is not None:
            shutil.rmtree(self._folder)
            self._remote.download(None, self.path)
        elif manifest is not None:
            self._fetch_unfinished(manifest)

    def _fetch_unfinished(self, content: bytes) -> None:
        """Bring the committed shards here; what is here, of a run on this machine, may be ahead of what is there."""
        folder = self._shards_here
        there = folder.parent / "there"
        there.mkdir(exist_ok=True)
        (there / MANIFEST).write_bytes(content)
        found, here = read_manifest(there), read_manifest(folder)
        assert found is not None
        if here is None or here.identity != found.identity or not set(found.shards) <= set(here.shards):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (there / MANIFEST).rename(folder / MANIFEST)
        shutil.rmtree(there)
        self.fetch_shards(found.shards)

    def _replace(self) -> None:
        """Remove what is there, if it is to be replaced."""
        if self._replaces:
            self._replaces = False
            for name in (None, MANIFEST, *(self._remote.sizes().keys() - {LOCK, MANIFEST})):
                self._remote.remove(name)

    def _upload(self, record: ShardRecord) -> None:
        self._remote.upload(self._shards_here / record.name, record.name)
        with self._writing:
            self._there[record.name] = record
            if time.monotonic() - self._written > _MANIFEST_SECONDS:
                self._write_manifest()

    def _write_manifest(self) -> None:
        """Commit the shards that are there."""
        self._lock.check()
        manifest = read_manifest(self._shards_here)
        if manifest is None:
            raise StoreError(f"writing {self._remote.url}: {self._shards_here / MANIFEST} is gone")
        header, *_ = (self._shards_here / MANIFEST).read_text(encoding="utf-8").split("\n", 1)
        lines = [header, *(record_line(record) for record in manifest.shards if record.name in self._there)]
        self._remote.write(MANIFEST, "".join(f"{line}\n" for line in lines).encode())
        self._written = time.monotonic()
