"""JSON files that are whole or not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from embedpipe.store.durable import partial_of, rename, write_file

if TYPE_CHECKING:
    from pathlib import Path


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """Write a file and bring it to the disk; at its final name it is whole.

    :raises OSError: If the disk is full or the folder not writable.
    """
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file likewise."""
    partial = partial_of(path)
    write_file(partial, [text.encode()], path.stem)
    rename(partial, path, path.stem)
