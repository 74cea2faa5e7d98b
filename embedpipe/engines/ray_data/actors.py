"""Workers of a Ray cluster, seen from the process that gives them their ranges."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embedpipe.engines.ray_data.shard_actor import ShardActor
from embedpipe.processes import pickled

if TYPE_CHECKING:
    from embedpipe.engines.crew import Worker
    from embedpipe.engines.ranges import Range
    from embedpipe.engines.shard_worker import ShardWork
    from embedpipe.job import Ray
    from embedpipe.processes import Message


class RayActors:
    """A :class:`~embedpipe.engines.crew.Workplace`."""

    memory_hint = (
        "Ray and the system kill workers when the memory of a node runs out; then take fewer workers a node (a larger "
        "engine.cpus_per_worker), or a smaller batching.budget_subwords or store.shard_size."
    )

    def __init__(self, ray: Any, work: ShardWork, settings: Ray) -> None:
        self._ray = ray
        self._work = ray.put(pickled(work, "extract with the engine local and one worker"))
        self._settings = settings
        self._actors: list[_Actor] = []

    def __enter__(self) -> RayActors:
        return self

    def __exit__(self, *error: object) -> None:
        for actor in list(self._actors):
            actor.end()

    def start(self, number: int) -> _Actor:
        """Start an actor; it may have to wait until the cluster has room for it."""
        settings = self._settings
        made = self._ray.remote(ShardActor).options(
            num_cpus=settings.cpus_per_worker,
            num_gpus=settings.gpus_per_worker,
            max_concurrency=2,  # it is listened to while it is given ranges
            max_restarts=0,
        )
        actor = _Actor(self._ray, made.remote(self._work, os.getcwd(), sys.path), self._actors)  # noqa: PTH109
        self._actors.append(actor)
        return actor

    def wait(self, workers: Sequence[Worker], seconds: float | None) -> list[Worker]:
        """Wait for actors that have something to say, or have ended."""
        by_call = {worker.call: worker for worker in workers if isinstance(worker, _Actor)}
        calls = list(by_call)
        ready, _ = self._ray.wait(calls, num_returns=1, timeout=seconds)
        if ready:
            ready, _ = self._ray.wait(calls, num_returns=len(calls), timeout=0)
        return [by_call[call] for call in ready]


class _Actor:
    """One worker of the cluster, and the call that waits for what it has to say."""

    def __init__(self, ray: Any, handle: Any, actors: list[_Actor]) -> None:
        self._ray = ray
        self._handle = handle
        self._actors = actors
        self._error: BaseException | None = None
        self.call = handle.listen.remote()

    def send(self, range_: Range) -> None:
        self._handle.give.remote(pickle.dumps(range_))

    def receive(self) -> Sequence[Message] | None:
        try:
            messages: list[Message] = pickle.loads(self._ray.get(self.call))
        except self._ray.exceptions.RayError as error:
            self._error = error
            return None
        self.call = self._handle.listen.remote()
        return messages

    def end(self) -> str:
        self._actors.remove(self)
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._handle)
        return f"was lost ({_first_sentence(self._error)})"


def _first_sentence(error: BaseException | None) -> str:
    return str(error).strip().split("\n")[0]
