"""Whether a finished store is being added to: the manifest beside it is then ahead of it, and nothing is wrong with either."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from embedpipe.errors import StoreError
from embedpipe.store import format as names
from embedpipe.store.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from embedpipe.store.store_file import StoreFile


def unfinished_growth(store: StoreFile, folder: Path) -> Manifest | None:
    """The manifest, where it is that of a growth of this very store that has not come to its end."""
    with contextlib.suppress(StoreError, OSError):
        manifest = read_manifest(folder)
        if manifest is not None and _goes_on_from(store, manifest):
            return manifest
    return None


def describe_growth(growth: Manifest, num_sentences: int) -> str:
    """Say how far it is.

    :param num_sentences: Of the finished store.
    """
    added = [record for record in growth.shards if record.start >= num_sentences]
    shards = "1 shard" if len(added) == 1 else f"{len(added):,} shards"
    count = sum(record.num_sentences for record in added)
    return f"a growth is unfinished: {count:,} new sentences in {shards} are committed; the store is what it was before"


def _goes_on_from(store: StoreFile, manifest: Manifest) -> bool:
    table, num_sentences = store.structure.table, store.structure.counts["num_sentences"]
    if table is not None:
        return manifest.origin == table.origin.grown(num_sentences, manifest.identity)
    made_of = store.json(names.PROVENANCE).get("fingerprint")
    return [(run.num_sentences, run.identity.get("fingerprint")) for run in manifest.origin.grown_from] == [
        (num_sentences, made_of)
    ]
