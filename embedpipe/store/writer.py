"""Writing a store: blocks in, one sealed shard each, and at the end one store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from embedpipe.dataflow import Block, Unit, ViewInfo
from embedpipe.errors import EmbedpipeError, StoreError
from embedpipe.store import format as names
from embedpipe.store.block import check_block
from embedpipe.store.contents import as_json
from embedpipe.store.durable import partial_of, rename, write_error
from embedpipe.store.id_index import GrowingIdIndex
from embedpipe.store.labels import check_labels
from embedpipe.store.manifest import (
    Manifest,
    ShardRecord,
    append_record,
    read_manifest,
    shard_name,
    views_as_json,
    write_manifest,
)
from embedpipe.store.master import write_master
from embedpipe.store.place import StorePlace
from embedpipe.store.sealed import SealedFile
from embedpipe.store.shard import write_shard
from embedpipe.store.unfinished import check_same_run, fault_of, remove_strays


class StoreWriter:
    """Writes one store, shard by shard; what is committed survives whatever happens, and a later writer goes on from there.

    ::

        with StoreWriter("features.h5", views, identity=identity) as writer:
            for start, stop in writer.gaps():
                for block in blocks(start, stop):
                    writer.append(block, start)
                    start += len(block.sentences)
            writer.finish(provenance)

    It holds the current block and 16 bytes a sentence.

    :param path: Where the store will be. Missing folders are made; the shards are in a folder beside it.
    :param views: What each view holds, by name.
    :param identity: Everything that determines the vectors; anything that JSON can hold. An unfinished run is gone on with only
        where it is the same.
    :param single_file: Make one file of a store that has only one shard.
    :param restart: Remove the store that is there, finished or not. Anything else that is there is never removed.
    :raises StoreError: On entering, if the store cannot or must not be written; later, if a block is not fit or the disk full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        views: Mapping[str, ViewInfo],
        *,
        identity: Mapping[str, Any] | None = None,
        single_file: bool = True,
        restart: bool = False,
    ) -> None:
        self.path = Path(path)
        self.views = dict(views)
        self.dropped: dict[str, str] = {}
        """Shards of the unfinished run that could not be kept, and why; their sentences are gaps again."""
        self._place = StorePlace(self.path)
        self._folder = self._place.folder
        self._single_file = single_file
        self._restart = restart
        self._is_open = False
        self._units: dict[str, Unit] = {}
        self._ids = GrowingIdIndex(self._id_at)
        self._lost: dict[int, int] = {}
        self._failures: dict[int, dict[str, str]] = {}
        for name, info in self.views.items():
            if not name or info.dtype not in names.VIEW_DTYPES:
                raise StoreError(f"cannot write the store {path}: view {name!r} with dtype {info.dtype!r} has no place in it.")
        self._manifest = Manifest(as_json(identity or {}, "identity"), views_as_json(self.views))

    def __enter__(self) -> StoreWriter:
        with ExitStack() as stack, self._system_errors():
            stack.enter_context(self._place.locked(may_replace=self._restart))
            if self._restart:
                self._place.remove_store()
            self._resume()
            self._stack = stack.pop_all()
        self._is_open = True
        return self

    @property
    def shards(self) -> tuple[ShardRecord, ...]:
        """The committed shards, in the order of their sentences."""
        return self._manifest.shards

    @property
    def failures(self) -> dict[str, str]:
        """By id, why a committed sentence has no vectors; of this run and those before, in the order of the sentences."""
        return {id: reason for _, failures in sorted(self._failures.items()) for id, reason in failures.items()}

    def gaps(self) -> list[tuple[int, int | None]]:
        """Ranges of sentences ``[start, stop)`` that are not committed; the last one, ``(start, None)``, has no end."""
        gaps: list[tuple[int, int | None]] = []
        start = 0
        for shard in self.shards:
            if shard.start > start:
                gaps.append((start, shard.start))
            start = shard.stop
        return [*gaps, (start, None)]

    def append(self, block: Block, start: int) -> ShardRecord:
        """Commit sentences as one shard; when this returns, they are on the disk for good.

        :param block: At least one sentence. A block that is refused leaves the store as it was.
        :param start: Number in the corpus of its first sentence.
        :raises StoreError: If the parts of the block do not agree, its place is taken, an id is there twice, or the disk is
            full.
        :raises NonFiniteError: If a vector is not finite or does not fit into the store's dtype.
        """
        self._check_open()
        check_block(block, self.views)
        stop = start + len(block.sentences)
        self._check_place(start, stop)
        units = check_labels(block.sentences, self._units)
        hashes = self._ids.check([sentence.id for sentence in block.sentences], start)
        failures = as_json(block.failures, "failures")
        path = self._folder / shard_name(self._number(start, stop))
        with self._committing():
            if not self.shards:
                write_manifest(self._folder, self._manifest)
            provenance = {"identity": self._manifest.identity} | ({"failures": failures} if failures else {})
            counts, size, sha256 = write_shard(partial_of(path), block, self.views, units, hashes, provenance)
            rename(partial_of(path), path, "shard")
            record = ShardRecord(
                path.name, start, stop, counts["num_words"], counts["num_subwords"], counts["num_documents"], size, sha256
            )
            append_record(self._folder, record)
        self._add(record)
        self._failures[start] = failures
        self._units.update(units)
        self._ids.add(hashes, start)
        return record

    def finish(self, provenance: Mapping[str, Any]) -> Path:
        """Make one store of the shards and bring it to its path. All sentences of the corpus must be there.

        :param provenance: How the store was made; anything that JSON can hold.
        :returns: The path.
        :raises StoreError: If sentences are missing in between, or the disk is full.
        """
        self._check_open()
        if len(gaps := self.gaps()) > 1:
            start, stop = gaps[0]
            raise StoreError(f"cannot finish the store {self.path}: the sentences {start:,} to {stop:,} are missing.")
        provenance = as_json(provenance, "provenance")
        is_single = not self.shards or (len(self.shards) == 1 and self._single_file)
        with self._committing():
            if self.shards:
                write_manifest(self._folder, self._manifest)
            partial = self._folder / f"store{names.PARTIAL}"
            write_master(
                partial,
                self.path,
                self._folder,
                self._manifest,
                self.views,
                self._ids.sorted(),
                provenance,
                is_single=is_single,
            )
            self._place.check_free()  # something may have come meanwhile
            rename(partial, self._place.target, "store")
            if is_single:
                self._place.remove_shards()
        self._is_open = False  # done: no further block
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_open = False
        self._stack.close()

    def _resume(self) -> None:
        """Keep what an earlier run has committed; clear away what it has not."""
        found = read_manifest(self._folder)
        if found is None and (stray := [e.name for e in self._folder.iterdir() if names.SHARD_NAME.fullmatch(e.name)]):
            raise StoreError(
                f"cannot write the store {self.path}: {self._folder} has {len(stray)} shards and no manifest, so what made "
                "them is not known. Give another path with --output, or start over with --restart."
            )
        records = found.shards if found else ()
        if found and records:
            check_same_run(self.path, found, self._manifest)
        self.dropped = {record.name: fault for record in records if (fault := fault_of(self._folder, record))}
        self._lost = {record.start: record.number for record in records if record.name in self.dropped}
        self._manifest = Manifest(
            self._manifest.identity, self._manifest.views, tuple(each for each in records if each.name not in self.dropped)
        )
        if found is not None:
            write_manifest(self._folder, self._manifest)  # without a torn line, to which the next one would be joined
        remove_strays(self._folder, (record.name for record in self.shards))
        for record in self.shards:
            with self._opened(record) as shard:
                self._units.update({name: info.unit for name, info in shard.structure.labels.items()})
                ids = shard.text(names.SENTENCE_ID).read(0, record.num_sentences)
                self._failures[record.start] = shard.json(names.PROVENANCE).get("failures", {})
            self._ids.add(self._ids.check(ids, record.start), record.start)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreError(
                f"cannot write the store {self.path}: it is not open for writing (outside of its `with`, finished, or a write "
                "has failed)."
            )

    def _check_place(self, start: int, stop: int) -> None:
        if stop <= start or start < 0:
            raise StoreError(f"cannot store a block: the sentences {start:,} to {stop:,} are none.")
        if not any(first <= start and (last is None or stop <= last) for first, last in self.gaps()):
            raise StoreError(f"cannot store a block: of the sentences {start:,} to {stop:,} some are committed already.")

    def _number(self, start: int, stop: int) -> int:
        """The number of a new shard: that of the lost one in its place, else the next one, so that the order is kept."""
        taken = {record.number for record in self.shards}
        before = [record.number for record in self.shards if record.stop <= start]
        after = [record.number for record in self.shards if record.start >= stop]
        number = self._lost.get(start, before[-1] + 1 if before else 0)
        is_free = number not in taken and (not after or number < after[0])
        return number if is_free else max(taken) + 1

    def _add(self, record: ShardRecord) -> None:
        shards = sorted((*self.shards, record), key=lambda each: each.start)
        self._manifest = Manifest(self._manifest.identity, self._manifest.views, tuple(shards))

    def _id_at(self, sentence: int) -> str:
        record = next(each for each in self.shards if each.start <= sentence < each.stop)
        with self._opened(record) as shard:
            return shard.text(names.SENTENCE_ID).read(sentence - record.start, sentence - record.start + 1)[0]

    @contextmanager
    def _opened(self, record: ShardRecord) -> Iterator[SealedFile]:
        with contextlib.closing(SealedFile(self._folder / record.name)) as shard:
            yield shard

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """After an error of the system nobody knows what is on the disk: the next writer will look."""
        try:
            with self._system_errors():
                yield
        except EmbedpipeError as error:
            self._is_open = not isinstance(error.__cause__, OSError)
            with contextlib.suppress(OSError):
                remove_strays(self._folder, None)
            raise
        except BaseException:
            self._is_open = False
            raise

    @contextmanager
    def _system_errors(self) -> Iterator[None]:
        """Turn errors of the system into ours."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise write_error(self.path, error) from error
