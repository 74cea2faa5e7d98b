"""Whether a store fits on its disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from embedpipe.errors import StoreError
from embedpipe.store import cache_folder, is_url

_TO_SPARE = 0.05
"""Part of the needed bytes that shall be free beyond them: for the file system's own tables, and what else is written."""


@dataclass(frozen=True, slots=True)
class Space:
    """What a store needs and what there is.

    :param folder: The nearest folder above the store that exists.
    :param needed_bytes: With 5 % to spare.
    :param free_bytes: On the folder's disk, for this user.
    """

    folder: Path
    needed_bytes: int
    free_bytes: int

    @property
    def is_enough(self) -> bool:
        return self.needed_bytes <= self.free_bytes


def measure_space(path: str | os.PathLike[str], store_bytes: int) -> Space:
    """Look at the disk that a store would be on.

    :param path: Of the store; its folder need not exist. One at a URL is made in a folder here, which has to have room.
    :param store_bytes: What the store takes.
    :raises StoreError: If the disk cannot be asked.
    """
    here = cache_folder(str(path)) / "store" if is_url(path) else path
    folder = Path(os.path.realpath(here)).parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreError(f"asking how much is free for the store {path}: {folder}: {error.strerror or error}") from error
    return Space(folder, store_bytes + round(store_bytes * _TO_SPARE), free_bytes)


def require_space(path: str | os.PathLike[str], needed_bytes: int) -> None:
    """Make sure that a store fits before anything is computed.

    :param needed_bytes: What is still to be written.
    :raises StoreError: If less is free than that and 5 % more; says how much is missing, and what to do.
    """
    space = measure_space(path, needed_bytes)
    if space.is_enough:
        return
    raise StoreError(
        f"the store {path} needs about {_size(space.needed_bytes)} (5 % to spare), but only {_size(space.free_bytes)} are free "
        f"in {space.folder}: {_size(space.needed_bytes - space.free_bytes)} are missing. Free some space, choose another disk "
        'with --output, keep fewer views, or set store.dtype to "float16"'
    )


def _size(num_bytes: int) -> str:
    if num_bytes < 2**20:
        return f"{num_bytes:,} bytes"
    return f"{num_bytes / 2**30:,.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:,.1f} MiB"
