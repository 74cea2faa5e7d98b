"""Several processes of this machine make the shards of one store; this one gives out the sentences and commits the shards."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from embedpipe.engines.loading import load
from embedpipe.engines.progress_of_all import ProgressOfAll
from embedpipe.engines.provenance import Done
from embedpipe.engines.ranges import Ranges
from embedpipe.engines.shard_worker import ReadRange, ShardWork, ShardWorker
from embedpipe.errors import EmbedpipeError
from embedpipe.processes import ChildProcess, end_all, how_it_ended, pickled, put_together, serve, share_of_cores

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from embedpipe.progress import Progress
    from embedpipe.store import MadeShard, StoreWriter

_AT_ONCE = 2
"""Ranges that a worker has: it reads the second while it embeds the first."""

_GPUS = "CUDA_VISIBLE_DEVICES"


def extract_at_once(
    work: ShardWork, writer: StoreWriter, num_workers: int, max_retries: int, on_progress: Callable[[Progress], None]
) -> Done:
    """Make all shards that a store lacks.

    :param num_workers: Processes, each with an equal share of the cores, and with a GPU of its own as far as there are some.
    :param max_retries: How many processes may be killed; each is replaced, and what it was at is done again.
    :raises EmbedpipeError: What was raised in a process, or if too many were killed. What is committed is kept.
    """
    crew = _Crew(work, writer, max_retries, on_progress)
    with share_of_cores(num_workers), crew:
        for number in range(num_workers):
            crew.start(number)
        crew.finish()
    return crew.done


@dataclass
class _Worker:
    """A process, its number, and the first sentences of the ranges that it is at."""

    child: ChildProcess
    number: int
    is_ready: bool = False
    at: list[int] = field(default_factory=list)


class _Crew:
    """At the end of the block, all processes have ended."""

    def __init__(self, work: ShardWork, writer: StoreWriter, max_retries: int, on_progress: Callable[[Progress], None]) -> None:
        self.done = Done()
        self._work = pickled(work, "extract with one worker")
        self._writer = writer
        self._ranges = Ranges(writer.gaps())
        self._workers: dict[Connection, _Worker] = {}
        self._lost: list[str] = []
        self._max_retries = max_retries
        self._on_progress = on_progress
        self._now = ProgressOfAll(sum(shard.num_sentences for shard in writer.shards))

    def start(self, number: int) -> None:
        """Start a process."""
        try:
            with _gpu_of_its_own(number):
                child = ChildProcess.start(make_shards, f"embedpipe worker {number}")
        except OSError as error:
            raise EmbedpipeError(f"cannot start another process: {error.strerror}. Take fewer workers.") from error
        self._workers[child.channel] = _Worker(child, number)
        child.send(self._work)

    def finish(self) -> None:
        """Listen to the processes until every sentence is stored."""
        while not self._ranges.is_done:
            for channel in connection.wait(list(self._workers)):
                worker = self._workers[channel]  # type: ignore[index]
                if message := worker.child.receive():
                    self._hear(worker, *message)
                else:
                    self._replace(worker)
            self._give_out()

    def _give_out(self) -> None:
        """Give the next ranges to those who have least to do."""
        for worker in sorted(self._workers.values(), key=lambda worker: len(worker.at)):
            if worker.is_ready and len(worker.at) < _AT_ONCE and (range_ := self._ranges.take()):
                worker.at.append(range_[0])
                worker.child.send(pickle.dumps(range_))

    def _hear(self, worker: _Worker, kind: str, content: Any) -> None:
        match kind:
            case "failed":
                raise put_together(content)
            case "ready":
                worker.is_ready, self.done.encoder = True, content
            case "read":
                self._read(content)
            case "embedded":
                self._on_progress(self._now.embedded(*content))
            case "over":
                start, self.done.log = content
                self._ranges.over(start)
                worker.at.remove(start)
            case "made":
                self._commit(worker, content)

    def _read(self, read: ReadRange) -> None:
        if self._ranges.read(read.start, read.stop):
            self._writer.announce(read.start, read.stop)
        self._now.read(read)

    def _commit(self, worker: _Worker, made: MadeShard) -> None:
        self._writer.commit(made)
        start = made.sentences.start
        self._ranges.made(start)
        worker.at.remove(start)
        self.done.num_words += made.counts["num_words"]
        self.done.num_subwords += made.counts["num_subwords"]
        self._on_progress(self._now.made(start, made.counts["num_sentences"], made.counts["num_words"]))

    def _replace(self, worker: _Worker) -> None:
        """A process has ended that should not have."""
        del self._workers[worker.child.channel]
        how = how_it_ended(worker.child.end())
        at = f"sentence {worker.at[0]:,} (counted from 0) and those after it" if worker.at else "its beginning"
        self._lost.append(f"a process {how} at {at}")
        for start in worker.at:
            self._ranges.lost(start)
            self._now.lost(start)
        if len(self._lost) > self._max_retries:
            lines = "\n".join(f"  {line}" for line in self._lost)
            raise EmbedpipeError(
                f"{len(self._lost)} processes could not do their work:\n{lines}\nThe system kills processes (SIGKILL) when "
                "memory runs out; then take fewer workers, or a smaller batching.budget_subwords or store.shard_size. What is "
                "sealed is kept; run the same command again to go on."
            )
        self.start(worker.number)

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *error: object) -> None:
        end_all([worker.child for worker in self._workers.values()])


def make_shards(channel: Connection) -> None:
    """What a process does.

    :param channel: A :class:`ShardWork` comes in and then ranges; what :class:`ShardWorker` tells goes out.
    """
    with serve(channel):
        work: ShardWork = pickle.loads(channel.recv_bytes())
        embedder = load(work.config)
        worker = ShardWorker(work, embedder, channel.send)
        channel.send(("ready", dict(embedder.encoder.description)))
        worker.run(iter(channel.recv, None))


@contextlib.contextmanager
def _gpu_of_its_own(number: int) -> Iterator[None]:
    """Within the block, processes start with one of the GPUs that this one sees."""
    import torch

    num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not num_gpus:
        yield
        return
    before = os.environ.get(_GPUS)
    visible = before.split(",") if before else [str(index) for index in range(num_gpus)]
    os.environ[_GPUS] = visible[number % len(visible)]
    try:
        yield
    finally:
        if before is None:
            del os.environ[_GPUS]
        else:
            os.environ[_GPUS] = before
