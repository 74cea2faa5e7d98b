"""Writing a store: blocks in, one sealed shard each, and at the end one store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from embedpipe.dataflow import Block, Unit, ViewInfo
from embedpipe.errors import EmbedpipeError, StoreError
from embedpipe.store import format as names
from embedpipe.store.beginning import Beginning, grow, resume
from embedpipe.store.block import check_block
from embedpipe.store.contents import as_json
from embedpipe.store.durable import partial_of, rename, write_error
from embedpipe.store.first_shard import write_first_shard
from embedpipe.store.gaps import find_gaps, free_number
from embedpipe.store.held import HeldBlock, HeldShard
from embedpipe.store.id_index import GrowingIdIndex
from embedpipe.store.labels import check_labels
from embedpipe.store.manifest import Manifest, ShardRecord, append_record, shard_name, views_as_json, write_manifest
from embedpipe.store.master import write_master
from embedpipe.store.origin import EarlierRun, Origin
from embedpipe.store.place import StorePlace
from embedpipe.store.sealed import SealedFile
from embedpipe.store.shard import write_shard
from embedpipe.store.shard_files import ShardFiles
from embedpipe.store.unfinished import remove_strays

if TYPE_CHECKING:
    from embedpipe.store.format import Count


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
    :param grows_from: Identity of the finished store at the path, to which sentences are to be added. It stays as it is until
        :meth:`finish` puts the grown one in its place, and nothing is written before the first new shard. A growth to the same
        identity that did not come to its end is gone on with; one to another identity is started over.
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
        grows_from: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.views = dict(views)
        self._place = StorePlace(self.path)
        self._folder = self._place.folder
        self._single_file = single_file
        self._restart = restart
        self._grows_from = None if grows_from is None else as_json(grows_from, "identity")
        self._is_open = self._is_begun = False
        self._units: dict[str, Unit] = {}
        self._ids = GrowingIdIndex(self._id_at)
        self._held: HeldBlock | None = None
        self._failures: dict[int, dict[str, str]] = {}
        for name, info in self.views.items():
            if not name or info.dtype not in names.VIEW_DTYPES:
                raise StoreError(f"cannot write the store {path}: view {name!r} with dtype {info.dtype!r} has no place in it.")
        self._manifest = Manifest(Origin(as_json(identity or {}, "identity")), views_as_json(self.views))
        self._beginning = Beginning(self._manifest)

    def __enter__(self) -> StoreWriter:
        with ExitStack() as stack, self._system_errors():
            stack.enter_context(self._place.locked(may_replace=self._may_replace))
            if self._restart:
                self._place.remove_store()
            if self._grows_from is None:
                self._beginning = resume(self.path, self._folder, self._manifest)
            else:
                self._beginning = grow(self.path, self._folder, self._manifest, self._grows_from)
            self._manifest = self._beginning.manifest
            self._learn()
            self._stack = stack.pop_all()
        self._is_open = True
        return self

    @property
    def shards(self) -> tuple[ShardRecord, ...]:
        """The committed shards, in the order of their sentences."""
        return self._manifest.shards

    @property
    def dropped(self) -> dict[str, str]:
        """Shards of the unfinished run that could not be kept, and why; their sentences are gaps again."""
        return self._beginning.dropped

    @property
    def grown_from(self) -> tuple[EarlierRun, ...]:
        """The runs whose sentences were added to; none where the store has never grown."""
        return self._manifest.origin.grown_from

    @property
    def failures(self) -> dict[str, str]:
        """By id, why a committed sentence has no vectors; of this run and those before, in the order of the sentences."""
        return {id: reason for _, failures in sorted(self._failures.items()) for id, reason in failures.items()}

    def gaps(self) -> list[tuple[int, int | None]]:
        """Ranges of sentences ``[start, stop)`` that are not committed, see :func:`~embedpipe.store.gaps.find_gaps`."""
        return find_gaps(self._manifest, self._num_held)

    def append(self, block: Block, start: int) -> None:
        """Commit sentences as one shard; when this returns, they are on the disk for good.

        A block that is the whole corpus is held instead, if one file is wanted: :meth:`finish` writes it there at once, and
        until then it must not be changed.

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
        if block.is_last and self._single_file and start == 0 and self.gaps() == [(0, None)]:
            self._held = HeldBlock(block, units, hashes)
        else:
            with self._committing():
                self._begin()
                path = self._folder / shard_name(free_number(self.shards, self._beginning.lost, start, stop))
                partial, provenance = partial_of(path), self._of_shard(start, failures)
                self._commit(path, start, stop, write_shard(partial, block, self.views, units, hashes, provenance))
        self._failures[start] = failures
        self._units.update(units)
        self._ids.add(hashes, start)

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
        with self._committing():
            if self.shards or self._num_held:
                self._begin()
                write_manifest(self._folder, self._manifest)
            is_single = not self.shards or (len(self.shards) == 1 and self._single_file and not self.grown_from)
            partial = self._folder / f"store{names.PARTIAL}"
            with contextlib.closing(self._all_shards()) as shards:
                write_master(
                    partial,
                    shards,
                    self._folder,
                    self._manifest,
                    self.views,
                    self._ids.sorted(),
                    provenance,
                    is_single=is_single,
                )
            self._place.check_free(or_store=self._grows_from is not None)  # something may have come meanwhile
            rename(partial, self._place.target, "store")
            if is_single:
                self._place.remove_shards()
        self._is_open = False  # done: no further block
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_open = False
        self._stack.close()

    def _all_shards(self) -> ShardFiles | HeldShard:
        """What the store is made of."""
        if self._held is not None:
            return HeldShard(self._held, self.views)
        return ShardFiles(self.path, self._folder, self.shards, self.views, self._manifest.origin)

    @property
    def _may_replace(self) -> bool:
        """Whether a store may be at the path."""
        return self._restart or self._grows_from is not None

    @property
    def _num_held(self) -> int:
        """Sentences that are in the single file at the path, and not in a shard yet."""
        return 0 if self._is_begun else self._beginning.num_held

    def _learn(self) -> None:
        """Ids, units of labels and failures of what is there."""
        files = [(record.start, self._folder / record.name) for record in self.shards]
        for start, path in [(0, self.path)] * bool(self._num_held) + files:
            with contextlib.closing(SealedFile(path)) as file:
                self._units.update({name: info.unit for name, info in file.structure.labels.items()})
                ids = file.text(names.SENTENCE_ID).read(0, file.structure.counts["num_sentences"])
                self._failures[start] = file.json(names.PROVENANCE).get("failures", {})
            self._ids.add(self._ids.check(ids, start), start)

    def _begin(self) -> None:
        """Say what the shards are made of, before the first of them; from here on the growth can be gone on with."""
        if self._is_begun:
            return
        write_manifest(self._folder, self._manifest)
        remove_strays(self._folder, (record.name for record in self.shards))
        if num_held := self._num_held:
            path = self._folder / shard_name(0)
            written = write_first_shard(partial_of(path), self.path, self._of_shard(0, self._failures[0]))
            self._commit(path, 0, num_held, written)
        self._is_begun = True

    def _of_shard(self, start: int, failures: Mapping[str, str]) -> dict[str, Any]:
        """The provenance of the shard with the sentences from ``start`` on."""
        return {"identity": self._manifest.origin.of(start)} | ({"failures": failures} if failures else {})

    def _commit(self, path: Path, start: int, stop: int, written: tuple[Mapping[Count, int], int, str]) -> None:
        """Make a shard of a partial file that is on the disk."""
        counts, size_bytes, sha256 = written
        rename(partial_of(path), path, "shard")
        num_words, num_subwords, num_documents = (counts[name] for name in ("num_words", "num_subwords", "num_documents"))
        record = ShardRecord(path.name, start, stop, num_words, num_subwords, num_documents, size_bytes, sha256)
        append_record(self._folder, record)
        shards = sorted((*self.shards, record), key=lambda each: each.start)
        self._manifest = replace(self._manifest, shards=tuple(shards))

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreError(
                f"cannot write the store {self.path}: it is not open for writing (outside of its `with`, finished, or a write "
                "has failed)."
            )

    def _check_place(self, start: int, stop: int) -> None:
        if stop <= start or start < 0:
            raise StoreError(f"cannot store a block: the sentences {start:,} to {stop:,} are none.")
        if self._held is not None or not any(first <= start and (last is None or stop <= last) for first, last in self.gaps()):
            raise StoreError(f"cannot store a block: of the sentences {start:,} to {stop:,} some are committed already.")

    def _id_at(self, sentence: int) -> str:
        record = next((each for each in self.shards if each.start <= sentence < each.stop), None)
        path, start = (self._folder / record.name, record.start) if record else (self.path, 0)
        with contextlib.closing(SealedFile(path)) as file:
            return file.text(names.SENTENCE_ID).read(sentence - start, sentence - start + 1)[0]

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
