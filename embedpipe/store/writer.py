"""Writing a store: blocks in, one sealed shard each, and at the end one store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from embedpipe.dataflow import Block, ViewInfo
from embedpipe.errors import EmbedpipeError, StoreError
from embedpipe.store import format as names
from embedpipe.store.beginning import Beginning, grow, resume
from embedpipe.store.committed import CommittedShards, ShardNumbers
from embedpipe.store.contents import as_json
from embedpipe.store.durable import partial_of, rename, system_errors
from embedpipe.store.first_shard import write_first_shard
from embedpipe.store.held import HeldShard
from embedpipe.store.known import KnownSentences
from embedpipe.store.made import MADE, CheckedBlock, MadeShard, Sentences, ShardMaker, of_shard
from embedpipe.store.manifest import Manifest, ShardRecord, append_record, shard_name, views_as_json, write_manifest
from embedpipe.store.master import write_master
from embedpipe.store.origin import EarlierRun, Origin
from embedpipe.store.place import StorePlace
from embedpipe.store.sealed import SealedFile
from embedpipe.store.shard_files import KnownShard, ShardFiles
from embedpipe.store.unfinished import remove_strays

if TYPE_CHECKING:
    from embedpipe.store.format import Count
    from embedpipe.store.layout import ShardLayout


class StoreWriter:
    """Writes one store, shard by shard; what is committed survives whatever happens, and a later writer goes on from there.

    ::

        with StoreWriter("features.h5", views, identity=identity) as writer:
            for start, stop in writer.gaps():
                for block in blocks(start, stop):
                    writer.append(block, start)
                    start += len(block.sentences)
            writer.finish(provenance)

    It holds the current block, 16 bytes a sentence and two kilobytes a shard. To commit one takes as long as ever, however many
    there are.

    :param path: Where the store will be. Missing folders are made; the shards are in a folder beside it.
    :param views: What each view holds, by name.
    :param identity: Everything that determines the vectors; anything that JSON can hold. An unfinished run is gone on with only
        where it is the same.
    :param single_file: Make one file of a store that has only one shard.
    :param restart: Remove the store that is there, finished or not. Anything else that is there is never removed.
    :param grows_from: Identity of the finished store at the path, to which sentences are to be added. It stays as it is until
        :meth:`finish` puts the grown one in its place, and nothing is written before the first new shard. A growth to the same
        identity that did not come to its end is gone on with; one to another identity is started over.
    :param on_commit: Called for each shard that is on the disk for good.
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
        on_commit: Callable[[ShardRecord], None] = lambda record: None,
    ) -> None:
        self.path = Path(path)
        self.views = dict(views)
        self._place = StorePlace(self.path)
        self._folder = self._place.folder
        self._single_file = single_file
        self._restart = restart
        self._on_commit = on_commit
        self._grows_from = None if grows_from is None else as_json(grows_from, "identity")
        self._is_open = self._is_begun = False
        self._known = KnownSentences(self._file_of)
        self._held: CheckedBlock | None = None
        self._looked_into: dict[str, KnownShard] = {}
        """By name, shards that :meth:`finish` need not open with HDF5 once more, which takes milliseconds for each."""
        for name, info in self.views.items():
            if not name or info.dtype not in names.VIEW_DTYPES:
                raise StoreError(f"cannot write the store {path}: view {name!r} with dtype {info.dtype!r} has no place in it.")
        self._start_from(Beginning(Manifest(Origin(as_json(identity or {}, "identity")), views_as_json(self.views))))

    def __enter__(self) -> StoreWriter:
        with ExitStack() as stack, system_errors(self.path):
            stack.enter_context(self._place.locked(may_replace=self._may_replace))
            if self._restart:
                self._place.remove_store()
            if self._grows_from is None:
                self._start_from(resume(self.path, self._folder, self._manifest))
            else:
                self._start_from(grow(self.path, self._folder, self._manifest, self._grows_from))
            if self._num_held:
                self._learn(self.path, 0)
            for record in self._committed:
                self._learn(self._folder / record.name, record.start)
            self._stack = stack.pop_all()
        self._is_open = True
        return self

    @property
    def shards(self) -> tuple[ShardRecord, ...]:
        """The committed shards, in the order of their sentences; they are put together when they are asked for."""
        return tuple(self._committed)

    @property
    def dropped(self) -> dict[str, str]:
        """Shards of the unfinished run that could not be kept, and why; their sentences are gaps again."""
        return self._beginning.dropped

    @property
    def grown_from(self) -> tuple[EarlierRun, ...]:
        """The runs whose sentences were added to; none where the store has never grown."""
        return self._origin.grown_from

    @property
    def failures(self) -> dict[str, str]:
        """By id, why a committed sentence has no vectors; of this run and those before, in the order of the sentences."""
        return self._known.failures

    def gaps(self) -> list[tuple[int, int | None]]:
        """Ranges of sentences ``[start, stop)`` that are not committed; the last one, ``(start, None)``, has no end.

        None of them goes across a place at which the store has grown.
        """
        return self._committed.gaps(self._num_held, self._origin.borders)

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
        checked = CheckedBlock.of(block, start, self.views)
        self._check_new(checked.sentences)
        if block.is_last and self._single_file and start == 0 and self.gaps() == [(0, None)]:
            self._held = checked
            self._known.add(checked.sentences)
            return
        with self._committing():
            self._begin()
            self._commit(self.maker.make(checked))

    @property
    def maker(self) -> ShardMaker:
        """Makes shards for :meth:`commit`, here or in other processes."""
        return ShardMaker(self.path, self._folder, self.views, self._origin)

    def announce(self, start: int) -> None:
        """Give a number to the shard of some sentences that is being made: the one that it has where shards come in order.

        :param start: Of gaps from first to last, as they are filled.
        """
        self._check_open()
        with self._committing():
            self._begin()
        self._numbers.give(start)

    def commit(self, made: MadeShard) -> None:
        """Commit a shard that was announced; when this returns, it is on the disk for good.

        :raises StoreError: If its place is taken, an id is there twice, a label is of another unit, or the disk is full.
        """
        self._check_open()
        with self._committing():
            self._check_new(made.sentences)
            self._commit(made)

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
            if self._committed or self._num_held:
                self._begin()
                write_manifest(self._folder, self._manifest)
                remove_strays(self._folder, (record.name for record in self._committed))
            is_single = not self._committed or (len(self._committed) == 1 and self._single_file and not self.grown_from)
            partial = self._folder / f"store{names.PARTIAL}"
            with contextlib.closing(self._all_shards()) as shards:
                write_master(
                    partial,
                    shards,
                    self._folder,
                    self._manifest,
                    self.views,
                    self._known.id_index(),
                    provenance,
                    is_single=is_single,
                )
            shards_of_store = () if is_single else self.shards
            self._place.publish(partial, shards_of_store, may_replace=self._grows_from is not None)
        self._is_open = False  # done: no further block
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_open = False
        self._stack.close()

    def _start_from(self, beginning: Beginning) -> None:
        """Begin with what is there."""
        self._beginning = beginning
        self._origin = beginning.manifest.origin
        self._committed = CommittedShards(beginning.manifest.shards)
        self._numbers = ShardNumbers(self._committed, beginning.lost)

    def _learn(self, path: Path, start: int) -> None:
        """Know what is in a file that was checked; its first sentence is number ``start``."""
        with contextlib.closing(SealedFile(path)) as file:
            self._known.learn(file, start)
            if path != self.path:
                self._looked_into[path.name] = KnownShard.of(path, file.layout())

    def _all_shards(self) -> ShardFiles | HeldShard:
        """What the store is made of."""
        if self._held is not None:
            held, self._held = self._held, None  # what is written of it takes no memory any more
            return HeldShard(held, self.views)
        known = {index: self._looked_into[shard.name] for index, shard in enumerate(self._committed)}
        return ShardFiles(self.path, self._folder, self.shards, self.views, self._origin, known=known)

    @property
    def _manifest(self) -> Manifest:
        """All that is committed."""
        return replace(self._beginning.manifest, shards=self.shards)

    @property
    def _may_replace(self) -> bool:
        """Whether a store may be at the path."""
        return self._restart or self._grows_from is not None

    @property
    def _num_held(self) -> int:
        """Sentences that are in the single file at the path, and not in a shard yet."""
        return 0 if self._is_begun else self._beginning.num_held

    def _begin(self) -> None:
        """Say what the shards are made of, before the first of them; from here on the growth can be gone on with."""
        if self._is_begun:
            return
        write_manifest(self._folder, self._manifest)
        remove_strays(self._folder, (record.name for record in self._committed), but=MADE)
        if num_held := self._num_held:
            partial = partial_of(self._folder / shard_name(0))
            provenance = of_shard(self._origin, 0, self._known.failures_of(0))
            self._rename(partial, (0, num_held), *write_first_shard(partial, self.path, provenance))
        self._is_begun = True

    def _commit(self, made: MadeShard) -> None:
        """Make a shard of a partial file that is on the disk."""
        about = made.sentences
        self._rename(made.partial, (about.start, about.stop), made.counts, made.size_bytes, made.sha256, made.layout)
        self._known.add(about)

    def _rename(
        self,
        partial: Path,
        sentences: tuple[int, int],
        counts: Mapping[Count, int],
        size_bytes: int,
        sha256: str,
        layout: ShardLayout,
    ) -> None:
        name = shard_name(self._numbers.give(sentences[0]))
        rename(partial, self._folder / name, "shard")
        num_words, num_subwords, num_documents = (counts[count] for count in ("num_words", "num_subwords", "num_documents"))
        record = ShardRecord(name, *sentences, num_words, num_subwords, num_documents, size_bytes, sha256)
        append_record(self._folder, record)
        self._committed.add(record)
        self._looked_into[name] = KnownShard.of(self._folder / name, layout)
        self._on_commit(record)

    def _check_new(self, sentences: Sentences) -> None:
        """Check that sentences agree with those that are there."""
        self._check_place(sentences.start, sentences.stop)
        self._known.check(sentences)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreError(
                f"cannot write the store {self.path}: it is not open for writing (outside of its `with`, finished, or a write "
                "has failed)."
            )

    def _check_place(self, start: int, stop: int) -> None:
        if stop <= start or start < 0:
            raise StoreError(f"cannot store a block: the sentences {start:,} to {stop:,} are none.")
        is_free = self._num_held <= start and self._committed.has_room(start, stop)
        if self._held is not None or not is_free or any(start < border < stop for border in self._origin.borders):
            raise StoreError(f"cannot store a block: of the sentences {start:,} to {stop:,} some are committed already.")

    def _file_of(self, sentence: int) -> tuple[Path, int]:
        """The file that holds a committed sentence, and its first sentence."""
        record = self._committed.holding(sentence)
        return (self._folder / record.name, record.start) if record else (self.path, 0)

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """After an error of the system nobody knows what is on the disk: the next writer will look."""
        try:
            with system_errors(self.path):
                yield
        except EmbedpipeError as error:
            self._is_open = not isinstance(error.__cause__, OSError)
            with contextlib.suppress(OSError):
                remove_strays(self._folder, None)
            raise
        except BaseException:
            self._is_open = False
            raise
