"""A remote store, for a reader: its own file is fetched when it is opened, each shard when it is first needed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from embedpipe.errors import DamagedStoreError, StoreError
from embedpipe.store.format import SHARDS_FOLDER
from embedpipe.store.remote.files import RemoteFiles, cache_folder

if TYPE_CHECKING:
    from embedpipe.store.manifest import ShardRecord


class LocalCopy:
    """What of a remote store is here. It stays for the next reader, and goes when the remote store is another one.

    :param url: Of the store.
    :raises StoreError: If there is no store, or the storage cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._remote = RemoteFiles(url)
        if (version := self._remote.version()) is None:
            raise StoreError(f"cannot open the store {url}: there is no such file")
        self.path = cache_folder(url) / version / self._remote.name
        if not self.path.exists():
            self._remote.download(None, self.path)
            self._remove_others(version)

    def fetch(self, record: ShardRecord) -> None:
        """Bring a shard here.

        :raises DamagedStoreError: If it is not the one that the store's file names.
        """
        to = self.path.with_name(self.path.name + SHARDS_FOLDER) / record.name
        if self._remote.download(record.name, to) != record.sha256:
            to.unlink()
            raise DamagedStoreError(
                f"the store {self._remote.url} is damaged, or has just been replaced: the sha256 of its shard {record.name} is "
                "not the one that it should be. Open it again; if it stays so, make it anew"
            )

    def _remove_others(self, version: str) -> None:
        """Remove copies of what was there before; not what a writer has there."""
        for entry in self.path.parent.parent.iterdir():
            if entry.name not in (version, STAGING):
                shutil.rmtree(entry, ignore_errors=True)


STAGING = "staging"
"""Where a writer works."""


def adopt(url: str, staging: Path) -> None:
    """Make what a writer has brought up a reader's copy, so that nothing is fetched again.

    :param staging: The writer's folder.
    """
    version = RemoteFiles(url).version()
    to = cache_folder(url) / str(version)
    if version is not None:
        shutil.rmtree(to, ignore_errors=True)
        staging.rename(to)
