"""Whether a finished store still has all of its shards, told in a moment: nothing in them is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from embedpipe.errors import DamagedStoreError
from embedpipe.store.manifest import ShardRecord, shards_folder

_FEW = 3


def check_intact(path: Path, shards: Sequence[ShardRecord]) -> None:
    """Check that every shard of a finished store is there and as long as it should be. ``embedpipe verify`` checks the rest.

    :param path: Of the store.
    :param shards: Those that its table names.
    :raises DamagedStoreError: Names the first shards that are not, and how to repair the store.
    """
    folder = shards_folder(Path(os.path.realpath(path)))
    faults = {shard.name: fault for shard in shards if (fault := _fault(folder, shard))}
    if not faults:
        return
    shown = ", ".join(f"{name} {fault}" for name, fault in list(faults.items())[:_FEW])
    more = f", and {len(faults) - _FEW:,} more" if len(faults) > _FEW else ""
    raise DamagedStoreError(
        f"the store {path} is finished, and of its {len(shards):,} shards in {folder.name} {len(faults):,} cannot be used: "
        f"{shown}{more}. Bring the right ones there; or remove {path.name} and run the same extract command again: the other "
        "shards are kept, and these are made anew."
    )


def _fault(folder: Path, shard: ShardRecord) -> str | None:
    try:
        found = (folder / shard.name).lstat()
    except OSError as error:
        return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    if not stat.S_ISREG(found.st_mode):
        return "is not a file"
    if found.st_size != shard.size_bytes:
        return f"has {found.st_size:,} bytes, expected {shard.size_bytes:,}"
    return None
