"""Workers that are processes of this machine."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING

from embedpipe.engines.shard_worker import ShardWork, serve_ranges
from embedpipe.errors import EmbedpipeError
from embedpipe.processes import ChildProcess, end_all, how_it_ended, pickled, serve, share_of_cores

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from embedpipe.engines.crew import Worker
    from embedpipe.engines.ranges import Range
    from embedpipe.processes import Message

_GPUS = "CUDA_VISIBLE_DEVICES"


class LocalProcesses:
    """A :class:`~embedpipe.engines.crew.Workplace`.

    :param num_workers: Processes, each with an equal share of the cores, and with a GPU of its own as far as there are some.
    """

    memory_hint = (
        "The system kills processes (SIGKILL) when memory runs out; then take fewer workers, or a smaller "
        "batching.budget_subwords or store.shard_size."
    )

    def __init__(self, work: ShardWork, num_workers: int) -> None:
        self._work = pickled(work, "extract with one worker")
        self._num_workers = num_workers
        self._children: list[ChildProcess] = []

    def __enter__(self) -> LocalProcesses:
        with ExitStack() as stack:
            stack.enter_context(share_of_cores(self._num_workers))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        end_all(self._children)

    def start(self, number: int) -> _Process:
        """Start a process."""
        try:
            with _gpu_of_its_own(number):
                child = ChildProcess.start(make_shards, f"embedpipe worker {number}")
        except OSError as error:
            raise EmbedpipeError(f"cannot start another process: {error.strerror}. Take fewer workers.") from error
        self._children.append(child)
        child.send(self._work)
        return _Process(child, self._children)

    def wait(self, workers: Sequence[Worker], seconds: float | None) -> list[Worker]:
        """Wait for workers that have something to say, or have ended."""
        by_channel = {worker.child.channel: worker for worker in workers if isinstance(worker, _Process)}
        return [by_channel[channel] for channel in connection.wait(list(by_channel), seconds)]  # type: ignore[index]


@dataclass(frozen=True, eq=False)
class _Process:
    child: ChildProcess
    children: list[ChildProcess]

    def send(self, range_: Range) -> None:
        self.child.send(pickle.dumps(range_))

    def receive(self) -> Sequence[Message] | None:
        message = self.child.receive()
        return None if message is None else [message]

    def end(self) -> str:
        self.children.remove(self.child)
        return how_it_ended(self.child.end())


def make_shards(channel: Connection) -> None:
    """What a process does.

    :param channel: A :class:`ShardWork` comes in and then ranges; what :class:`ShardWorker` tells goes out.
    """
    with serve(channel):
        work: ShardWork = pickle.loads(channel.recv_bytes())
        serve_ranges(work, iter(channel.recv, None), channel.send)


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
