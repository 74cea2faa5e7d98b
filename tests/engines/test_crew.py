"""One gives out ranges, others make the shards: a slow worker is helped, and a shard that two make is made once."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_workers import shards, text, write_vectors

import embedpipe
from embedpipe.config import load_config
from embedpipe.engines import crew
from embedpipe.engines.corpus_part import CorpusPart
from embedpipe.engines.crew import extract_at_once
from embedpipe.engines.ranges import Range
from embedpipe.engines.shard_worker import ShardWork, serve_ranges
from embedpipe.extraction import Embedder


class Threads:
    """A workplace of threads.

    :param stuck: The worker of this number makes shards, and does not tell.
    :param tells_late: It does, when another one has.
    """

    memory_hint = ""

    def __init__(self, work: ShardWork, stuck: int | None = None, *, tells_late: bool = False) -> None:
        self.work, self.stuck, self.tells_late = work, stuck, tells_late
        self.workers: list[Thread] = []
        self.num_late = 0

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.ranges.put(None)
        for worker in self.workers:
            worker.thread.join()

    def start(self, number: int) -> Thread:
        self.workers.append(Thread(self, is_stuck=number == self.stuck))
        return self.workers[-1]

    def release(self, start: int) -> None:
        """Now that another has made a shard, the one that is stuck tells that it has made it, too."""
        for worker in self.workers:
            for message in [each for each in worker.held_back if each[1].sentences.start == start]:
                worker.held_back.remove(message)
                worker.told.put(message)
                self.num_late += 1

    def wait(self, workers: Sequence[Any], seconds: float | None) -> list[Any]:
        ready = threading.Event()
        for _ in range(int(10_000 if seconds is None else seconds * 1000)):
            if found := [worker for worker in workers if not worker.told.empty()]:
                return found
            ready.wait(0.001)
        return []


class Thread:
    def __init__(self, workplace: Threads, *, is_stuck: bool) -> None:
        self.workplace, self.is_stuck = workplace, is_stuck
        self.ranges: queue.SimpleQueue[Range | None] = queue.SimpleQueue()
        self.told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.given: list[Range] = []
        self.held_back: list[Any] = []
        work = workplace.work
        self.thread = threading.Thread(target=serve_ranges, args=(work, iter(self.ranges.get, None), self.tell))
        self.thread.start()

    def tell(self, message: Any) -> None:
        if self.is_stuck and message[0] == "made":
            self.held_back.append(message)
        else:
            self.told.put(message)

    def send(self, range_: Range) -> None:
        self.given.append(range_)
        self.ranges.put(range_)

    def receive(self) -> Sequence[Any]:
        kind, content = self.told.get()
        if kind == "made" and self.workplace.tells_late:
            self.workplace.release(content.sentences.start)
        return [(kind, content)]

    def end(self) -> str:
        return "ended"


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "c.txt").write_text(text(60), encoding="utf-8")
    write_vectors(tmp_path / "v.txt", 180)
    return {
        "corpus": {"type": "words", "path": str(tmp_path / "c.txt")},
        "encoder": {"type": "static", "path": str(tmp_path / "v.txt")},
        "views": {"last": {"layers": "last"}},
        "store": {"shard_size": 3000},
    }


def test_while_there_is_something_to_give_out_nobody_is_given_what_another_has(
    config: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(crew, "_SLOW", 0.0)
    given: list[tuple[bool, bool]] = []
    help_out = crew._Crew._of_a_slow_one

    def watched(self: Any) -> Any:
        given.append((self._ranges.is_given_out, (range_ := help_out(self)) is not None))
        return range_

    def make_shards(self: Any, config: Any, embedder: Any, writer: Any, old_part: Any, on_progress: Any) -> Any:
        return extract_at_once(Threads(ShardWork(config, writer.maker, old_part)), writer, 4, 0, on_progress)

    def late(function: Any, seconds: float) -> Any:
        return lambda *given, **named: (time.sleep(seconds), function(*given, **named))[1]

    monkeypatch.setattr(CorpusPart, "at", late(CorpusPart.at, 0.02))
    monkeypatch.setattr(Embedder, "embed_block", late(Embedder.embed_block, 0.05))
    monkeypatch.setattr(crew._Crew, "_of_a_slow_one", watched)
    monkeypatch.setattr("embedpipe.engines.local.LocalEngine.make_shards", make_shards)
    embedpipe.extract(config, tmp_path / "s.h5").close()
    assert (False, False) in given, "who was idle while another one read"
    assert (False, True) not in given


@pytest.mark.parametrize(("stuck", "tells_late"), [(None, False), (0, False), (0, True)])
def test_the_shards_of_a_worker_that_is_stuck_are_made_by_another(
    config: Any, tmp_path: Path, monkeypatch: Any, stuck: int | None, tells_late: bool
) -> None:
    monkeypatch.setattr(crew, "_SLOW", 0.0)
    at_work: list[Threads] = []

    def make_shards(self: Any, config: Any, embedder: Any, writer: Any, old_part: Any, on_progress: Any) -> Any:
        workplace = Threads(ShardWork(config, writer.maker, old_part), stuck, tells_late=tells_late)
        at_work.append(workplace)
        return extract_at_once(workplace, writer, 3, 0, on_progress)

    embedpipe.extract(config, tmp_path / "one.h5").close()
    monkeypatch.setattr("embedpipe.engines.local.LocalEngine.make_shards", make_shards)
    progress: list[Any] = []
    embedpipe.extract(load_config(config), tmp_path / "s.h5", on_progress=progress.append).close()
    assert shards(tmp_path / "s.h5") == shards(tmp_path / "one.h5")
    assert progress[-1].done_bytes == progress[-1].size_bytes
    if stuck is not None:
        first, *others = at_work[0].workers
        assert {range_.start for range_ in first.given} <= {range_.start for worker in others for range_ in worker.given}
        assert (at_work[0].num_late > 0) == tells_late
