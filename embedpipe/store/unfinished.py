"""What a run that did not finish has left: which of its shards can be kept, and what is to be cleared away."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from embedpipe.errors import StoreError
from embedpipe.store.format import LOCK, MANIFEST, PARTIAL, SHARD_NAME
from embedpipe.store.manifest import Manifest, ShardRecord

_READ_BYTES = 1 << 20
_SHOWN_CHARACTERS = 60


def fault_of(folder: Path, shard: ShardRecord) -> str | None:
    """Why a committed shard cannot be kept; ``None`` where it is whole, to the last byte."""
    path = folder / shard.name
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return "it is not a file"
        if found.st_size != shard.size_bytes:
            return f"it has {found.st_size:,} bytes, expected {shard.size_bytes:,}"
        digest = hashlib.sha256()
        buffer = bytearray(_READ_BYTES)
        with path.open("rb", buffering=0) as file:
            while size := file.readinto(buffer):
                digest.update(memoryview(buffer)[:size])
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return None if digest.hexdigest() == shard.sha256 else "its sha256 is not that of the manifest"


def check_same_run(path: Path, found: Manifest, wanted: Manifest) -> None:
    """Check that a run would make the same shards as those that are there.

    :raises StoreError: Names every key that differs, with both values.
    """
    before, now = (
        {**dict(_flat(manifest.identity)), **dict(_flat(manifest.views, "stored views."))} for manifest in (found, wanted)
    )
    differences = [
        f"  {key}: {_shown(before, key)} then, {_shown(now, key)} now"
        for key in sorted({*before, *now})
        if before.get(key, _ABSENT) != now.get(key, _ABSENT)
    ]
    if not differences and list(found.views) != list(wanted.views):
        differences = [f"  the order of the views: {list(found.views)} then, {list(wanted.views)} now"]
    if differences:
        raise StoreError(
            "\n".join(
                [
                    f"cannot go on with the store {path}: {found.num_sentences:,} sentences are committed, and what they "
                    "were made with has changed:",
                    *differences,
                    "Change it back, give another path with --output, or start over with --restart.",
                ]
            )
        )


def foreign_entry(folder: Path) -> Path | None:
    """Something in a shards folder that no writer of stores has put there; ``None`` where all is ours."""
    return next((entry for entry in sorted(folder.iterdir()) if not _is_ours(entry)), None)


def remove_strays(folder: Path, kept: Iterable[str] | None, *, but: str | tuple[str, ...] = ()) -> None:
    """Remove partial files, and shards that were not committed.

    :param kept: Names of the committed shards; ``None`` where that is not known, and all of them are left.
    :param but: How names begin that are left as well.
    """
    known = {MANIFEST, LOCK, *(kept or ())}
    for entry in folder.iterdir():
        is_kept = entry.name in known or entry.name.startswith(but) or (kept is None and not entry.name.endswith(PARTIAL))
        if not is_kept and _is_ours(entry):
            entry.unlink()


def _is_ours(entry: Path) -> bool:
    is_name = entry.name in (MANIFEST, LOCK) or entry.name.endswith(PARTIAL) or SHARD_NAME.fullmatch(entry.name)
    return bool(is_name) and (entry.is_symlink() or not entry.is_dir())


_ABSENT = object()


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, each in value.items():
        if isinstance(each, Mapping) and each:
            yield from _flat(each, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", each


def _shown(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return "absent"
    text = json.dumps(values[key], ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."
