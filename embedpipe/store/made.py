"""A shard on its way: made by whoever has a block, in this process or another, and committed by the writer alone."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedpipe.dataflow import Block, Unit, ViewInfo
from embedpipe.errors import StoreError
from embedpipe.store.block import check_block
from embedpipe.store.contents import as_json
from embedpipe.store.durable import system_errors
from embedpipe.store.format import LOCK, PARTIAL
from embedpipe.store.id_index import hash_ids
from embedpipe.store.labels import check_labels
from embedpipe.store.shard import write_shard

if TYPE_CHECKING:
    from embedpipe.store.format import Count
    from embedpipe.store.id_index import HashArray
    from embedpipe.store.layout import ShardLayout
    from embedpipe.store.origin import Origin

MADE = "from-"
"""How the names of partial files begin that are made in any order, each of other sentences."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """What the writer has to know of the sentences of a shard.

    :param start: Number in the corpus of the first one.
    :param ids: Of all of them.
    :param id_hashes: Likewise.
    :param labels: Units of their labels.
    :param failures: By id, why a sentence has no vectors.
    """

    start: int
    ids: tuple[str, ...]
    id_hashes: HashArray
    labels: Mapping[str, Unit]
    failures: Mapping[str, str]

    @property
    def stop(self) -> int:
        """The first sentence behind them."""
        return self.start + len(self.ids)


@dataclass(frozen=True, slots=True)
class CheckedBlock:
    """A block whose parts agree with each other and with the views."""

    block: Block
    sentences: Sentences

    @classmethod
    def of(cls, block: Block, start: int, views: Mapping[str, ViewInfo]) -> CheckedBlock:
        """Check a block.

        :param start: Number in the corpus of its first sentence.
        :raises StoreError: If its parts do not agree.
        """
        check_block(block, views)
        ids = tuple(sentence.id for sentence in block.sentences)
        labels = check_labels(block.sentences)
        return cls(block, Sentences(start, ids, hash_ids(ids), labels, as_json(block.failures, "failures")))


@dataclass(frozen=True, slots=True)
class MadeShard:
    """A shard that is whole and on the disk, under a name that the next writer would clear away."""

    partial: Path
    sentences: Sentences
    counts: Mapping[Count, int]
    size_bytes: int
    sha256: str
    layout: ShardLayout


@dataclass(frozen=True, slots=True)
class ShardMaker:
    """Writes blocks into a store's folder; in any process, for different sentences at once.

    :param path: Of the store, for errors.
    :param folder: Of the shards.
    :param views: What each shard holds.
    :param origin: What the shards are made of.
    """

    path: Path
    folder: Path
    views: Mapping[str, ViewInfo]
    origin: Origin

    def check_folder(self) -> None:
        """Find out whether the folder that the writer has locked can be seen from here.

        :raises StoreError: If not.
        """
        if not (self.folder / LOCK).exists():
            raise StoreError(
                f"writing {self.path}: {self.folder} is not here, or is another folder of that name. Whoever makes shards "
                "needs the folder of the one who commits them: put the store where all machines see it, at the same path"
            )

    def make(self, checked: CheckedBlock) -> MadeShard:
        """Write a block.

        :raises NonFiniteError: If a vector is not finite or does not fit into the store's dtype.
        :raises StoreError: If the disk cannot take it.
        """
        block, about = checked.block, checked.sentences
        partial = self.folder / f"{MADE}{about.start}-{secrets.token_hex(4)}{PARTIAL}"  # others may be at the same sentences
        provenance = of_shard(self.origin, about.start, about.failures)
        with system_errors(self.path):
            written = write_shard(partial, block, self.views, about.labels, about.id_hashes, provenance)
        return MadeShard(partial, about, *written)


def of_shard(origin: Origin, start: int, failures: Mapping[str, str]) -> dict[str, Any]:
    """The provenance of the shard with the sentences from ``start`` on."""
    return {"identity": origin.of(start)} | ({"failures": dict(failures)} if failures else {})
