"""What a writer begins with: nothing, what an unfinished run has committed, or a finished store that is to grow.

::

    resume   manifest ─────────────────────────────> the shards that are whole; the sentences of others are made again
    grow     the store's table, then the manifest ─> the store's shards, and those of an unfinished growth to the same corpus
             a single file ────────────────────────> its sentences, which become the first shard before the next one is made

A growth changes nothing until its first new shard is there: whether the corpus may be added to is only known by then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from embedpipe.errors import StoreError
from embedpipe.store.format import SHARD_NAME
from embedpipe.store.manifest import Manifest, read_manifest, views_as_json, write_manifest
from embedpipe.store.origin import Origin
from embedpipe.store.store_file import StoreFile
from embedpipe.store.unfinished import check_same_run, fault_of, remove_strays


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is there when a writer begins.

    :param manifest: The shards that are kept, and what all are made of.
    :param dropped: By name of a shard, why it is not kept.
    :param lost: By its first sentence, the number of a shard that is not kept.
    :param num_held: Sentences of the single file at the store's path that are not in a shard yet.
    """

    manifest: Manifest
    dropped: dict[str, str] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    num_held: int = 0


def resume(path: Path, folder: Path, wanted: Manifest) -> Beginning:
    """Keep what an earlier run has committed; clear away what it has not.

    :raises StoreError: If that run was another one.
    """
    found = read_manifest(folder)
    if found is None and (stray := [entry.name for entry in folder.iterdir() if SHARD_NAME.fullmatch(entry.name)]):
        raise StoreError(
            f"cannot write the store {path}: {folder} has {len(stray)} shards and no manifest, so what made them is not known. "
            "Give another path with --output, or start over with --restart."
        )
    if found is None or not found.shards:
        beginning = Beginning(wanted)
    else:
        check_same_run(path, found, wanted)
        beginning = _whole(folder, replace(wanted, origin=found.origin, shards=found.shards))
    if found is not None:
        write_manifest(folder, beginning.manifest)  # without a torn line, to which the next one would be joined
    remove_strays(folder, (record.name for record in beginning.manifest.shards))
    return beginning


def grow(path: Path, folder: Path, wanted: Manifest, grows_from: Mapping[str, Any]) -> Beginning:
    """Keep the shards of a finished store, and what an unfinished growth to the same identity has added; change nothing.

    :param path: Of the finished store.
    :param wanted: Its origin is that of a store that has never grown.
    :param grows_from: Identity of the store, where it is a single file, which has none.
    :raises StoreError: If the store is damaged, or has other views.
    """
    with contextlib.closing(StoreFile(path)) as store:
        table, num_sentences = store.structure.table, store.structure.counts["num_sentences"]
        origin = Origin(grows_from) if table is None else table.origin
        base = Manifest(origin.grown(num_sentences, wanted.identity), wanted.views, store.shards)
        _check_store(path, store, wanted)
    found = read_manifest(folder)
    if found is None or (found.origin, found.views) != (base.origin, base.views):
        return Beginning(base, num_held=0 if base.shards else num_sentences)
    known = {record.name for record in base.shards}
    added = _whole(folder, replace(base, shards=tuple(record for record in found.shards if record.name not in known)))
    shards = (*base.shards, *added.manifest.shards)
    is_held = not any(record.start < num_sentences for record in shards)
    return replace(added, manifest=replace(base, shards=shards), num_held=num_sentences if is_held else 0)


def _whole(folder: Path, manifest: Manifest) -> Beginning:
    """Leave out the shards that are not whole."""
    dropped = {record.name: fault for record in manifest.shards if (fault := fault_of(folder, record))}
    lost = {record.start: record.number for record in manifest.shards if record.name in dropped}
    kept = tuple(record for record in manifest.shards if record.name not in dropped)
    return Beginning(replace(manifest, shards=kept), dropped, lost)


def _check_store(path: Path, store: StoreFile, wanted: Manifest) -> None:
    """Check that a finished store can be added to, as far as that can be told without reading all of it."""
    found = views_as_json(store.structure.views)
    if list(found.items()) != list(wanted.views.items()):
        raise StoreError(f"cannot add to the store {path}: it has the views {found}, and {wanted.views} would be added.")
    try:
        store.check_shards()
    except StoreError as error:
        raise StoreError(f"cannot add to the store {path}: {error}") from error
