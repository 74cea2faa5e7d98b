"""What lies beside a store: its manifest, its shards, and what belongs to neither."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embedpipe.errors import StoreError
from embedpipe.store import format as names
from embedpipe.store.finding import Fault
from embedpipe.store.manifest import read_manifest

if TYPE_CHECKING:
    from embedpipe.store.manifest import ShardRecord
    from embedpipe.store.table import ShardTable

_FEW = 3


def check_manifest(folder: Path, table: ShardTable) -> Iterator[Fault]:
    """Check that the manifest of a finished store, if it is there, says the same as the store's table of shards."""
    try:
        manifest = read_manifest(folder)
    except (StoreError, OSError) as error:
        yield Fault.of_file("manifest", str(error))
        return
    if manifest is None:
        return
    yield from check_lines(folder)
    if manifest.origin != table.origin:
        yield Fault.of_file("manifest", "it is that of another run: its shards were made of something else")
        return
    here, there = {record.name: record for record in manifest.shards}, {record.name: record for record in table.records}
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            what = "is not in it" if name not in here else "is not in the store's table" if name not in there else ""
            yield Fault.of_file("manifest", f"shard {name} {what or _difference(here[name], there[name])}")


def check_lines(folder: Path) -> Iterator[Fault]:
    """Check that every line of a manifest is whole."""
    with contextlib.suppress(OSError):
        data = (folder / names.MANIFEST).read_bytes()
        torn = not data.endswith(b"\n")
        if torn:
            yield Fault.of_file("manifest", "its last line is torn, so the shard that it was for does not count as committed")
        manifest = read_manifest(folder)
        broken = data.count(b"\n") - 1 - len(manifest.shards if manifest else ())
        if broken > 0:
            lines = "1 line" if broken == 1 else f"{broken:,} lines"
            yield Fault.of_file("manifest", f"{lines} cannot be read, or name a shard or sentences that another one has")


def check_strays(folder: Path, records: Sequence[ShardRecord], *, unfinished: bool) -> Iterator[Fault]:
    """Check that nothing is in the shards folder but what belongs there.

    :param unfinished: Whether the run may have left shards that are not committed, which the next one removes.
    """
    known = {names.MANIFEST, names.LOCK, *(record.name for record in records)}
    entries: list[Path] = []
    with contextlib.suppress(OSError):  # that its shards cannot be read is said of each of them
        entries = sorted(folder.iterdir())
    for entry in entries:
        is_left = entry.name.endswith(names.PARTIAL) or names.SHARD_NAME.fullmatch(entry.name)
        if entry.name not in known and not (unfinished and is_left and not entry.is_dir()):
            yield Fault.of_file("strays", f"{entry.name} belongs to nothing in this store")


def _difference(here: ShardRecord, there: ShardRecord) -> str:
    fields = [name for name in here.__slots__ if getattr(here, name) != getattr(there, name)]
    shown = ", ".join(f"{name} is {getattr(here, name)}, in the table {getattr(there, name)}" for name in fields[:_FEW])
    return f"differs: {shown}"
