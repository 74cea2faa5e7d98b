"""The file at a store's own path: a sealed file, or a master whose big columns are in its shards."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from embedpipe.store import format as names
from embedpipe.store.columns import Column
from embedpipe.store.manifest import ShardRecord, shards_folder
from embedpipe.store.sealed import SealedFile
from embedpipe.store.shard_files import ShardedColumn, ShardFiles


class StoreFile(SealedFile):
    """The file of a whole store, open for reading; shards are opened as they are needed.

    :param fetch: Brings a shard that is not there.
    """

    may_have_shards = True

    def __init__(self, path: Path, fetch: Callable[[ShardRecord], None] | None = None) -> None:
        super().__init__(path)
        self._files: ShardFiles | None = None
        if table := self.structure.table:
            folder = shards_folder(Path(os.path.realpath(path)))
            ids = self.text(names.SENTENCE_ID)
            views, origin = self.structure.views, table.origin
            self._files = ShardFiles(path, folder, table.records, views, origin, ids_at=ids.read, fetch=fetch)

    @property
    def shards(self) -> tuple[ShardRecord, ...]:
        """The shards of a master, in the order of their sentences."""
        return self._files.records if self._files else ()

    @property
    def shards_to_fetch(self) -> tuple[ShardRecord, ...]:
        """Those that would have to be fetched before they can be read."""
        return self._files.to_fetch if self._files else ()

    def check_shards(self) -> None:
        """Open every shard once, which shows whether it is the one that it should be.

        :raises DamagedStoreError: If one is missing, or another one.
        """
        for index in range(len(self.shards)):
            assert self._files is not None
            self._files.check(index)

    def close(self) -> None:
        """Close it and its shards."""
        super().close()
        if self._files:
            self._files.close()

    def _make_column(self, name: str) -> Column:
        if self._files is None or name not in self.structure.in_shards:
            return super()._make_column(name)
        count = names.IN_SHARDS.get(name)
        if name.startswith(f"{names.VIEWS}/"):
            info = self.structure.views[names.name_of_link(name.rpartition("/")[2])]
            count, dtype, row_shape = names.ROWS[info.unit], names.VIEW_DTYPES[info.dtype], info.row_shape
        elif count:
            dtype, row_shape = names.COLUMNS[name].dtype, names.COLUMNS[name].row_shape
        else:
            dtype, row_shape = names.BYTE, ()
        return ShardedColumn(self._files, self.path, name, self._bounds(count), np.dtype(dtype), row_shape)

    def _bounds(self, count: names.Count | None) -> list[int]:
        """First row of each shard, and the number of all rows; ``None`` counts the bytes of the text."""
        if count:
            return [0, *np.cumsum([getattr(shard, count) for shard in self.shards], dtype=np.int64).tolist()]
        starts = np.array([0, *(shard.stop for shard in self.shards)])
        bounds: list[int] = self.column(names.offsets_of(names.SENTENCE_TEXT)).take(starts).tolist()
        if sorted(bounds) != bounds:
            raise ValueError("the offsets of the text are not ascending")
        return bounds
