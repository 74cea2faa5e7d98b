"""Several workers make the shards of one store; this process gives out the sentences and commits the shards."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from embedpipe.dataflow import MOST_PLACES, WarningCount
from embedpipe.engines.progress_of_all import ProgressOfAll
from embedpipe.engines.provenance import Done
from embedpipe.engines.ranges import Range, Ranges
from embedpipe.errors import EmbedpipeError
from embedpipe.processes import put_together

if TYPE_CHECKING:
    from embedpipe.dataflow import ReadLog
    from embedpipe.engines.shard_worker import ReadRange
    from embedpipe.processes import Message
    from embedpipe.progress import Progress
    from embedpipe.store import MadeShard, StoreWriter

_AT_ONCE = 2
"""Ranges that a worker has: it reads the second while it embeds the first."""

_SLOW = 2.0
"""A worker that takes so many times as long as others do may be stuck; an idle one does its range as well."""


class Worker(Protocol):
    """Runs :func:`~embedpipe.engines.shard_worker.serve_ranges` somewhere."""

    def send(self, range_: Range) -> None:
        """Give it a range; if it has ended, that is heard next."""

    def receive(self) -> Sequence[Message] | None:
        """What it has to say; ``None`` if it has ended."""

    def end(self) -> str:
        """See to it that it has ended.

        :returns: How it has, for a message: "was killed (SIGKILL)".
        """


class Workplace(AbstractContextManager["Workplace"], Protocol):
    """Where workers are; at the end of its block none is there any more."""

    memory_hint: str
    """What a user can do where workers are killed because the memory does not suffice."""

    def start(self, number: int) -> Worker:
        """Start a worker.

        :raises EmbedpipeError: If that cannot be.
        """

    def wait(self, workers: Sequence[Worker], seconds: float | None) -> list[Worker]:
        """Wait for workers that have something to say, or have ended.

        :param seconds: At most; ``None``: until there is one.
        """


def extract_at_once(
    workplace: Workplace, writer: StoreWriter, num_workers: int, max_retries: int, on_progress: Callable[[Progress], None]
) -> Done:
    """Make all shards that a store lacks.

    :param max_retries: How many workers may be lost; each is replaced, and what it was at is done again.
    :raises EmbedpipeError: What was raised in a worker, or if too many were lost. What is committed is kept.
    """
    with workplace:
        crew = _Crew(workplace, writer, max_retries, on_progress)
        for number in range(num_workers):
            crew.start(number)
        crew.finish()
    return crew.done


@dataclass(eq=False)
class _Member:
    """A worker, its number, and the first sentences of the ranges that it is at.

    :param since: When it came to the first of them, in seconds of a clock.
    """

    worker: Worker
    number: int
    is_ready: bool = False
    at: list[int] = field(default_factory=list)
    since: float = 0.0


class _Crew:
    def __init__(
        self, workplace: Workplace, writer: StoreWriter, max_retries: int, on_progress: Callable[[Progress], None]
    ) -> None:
        self.done = Done()
        self._workplace = workplace
        self._writer = writer
        self._ranges = Ranges(writer.gaps())
        self._members: list[_Member] = []
        self._lost: list[str] = []
        self._max_retries = max_retries
        self._on_progress = on_progress
        self._now = ProgressOfAll(sum(shard.num_sentences for shard in writer.shards))
        self._seconds: deque[float] = deque(maxlen=100)

    def start(self, number: int) -> None:
        """Start a worker."""
        self._members.append(_Member(self._workplace.start(number), number))

    def finish(self) -> None:
        """Listen to the workers until every sentence is stored."""
        while not self._ranges.is_done:
            is_idle = any(member.is_ready and not member.at for member in self._members)
            by_worker = {id(member.worker): member for member in self._members}
            workers = [member.worker for member in self._members]
            for worker in self._workplace.wait(workers, 1.0 if is_idle else None):
                self._listen(by_worker[id(worker)])
            self._give_out()

    def _listen(self, member: _Member) -> None:
        if (messages := member.worker.receive()) is None:
            self._replace(member)
            return
        for message in messages:
            self._hear(member, *message)

    def _give_out(self) -> None:
        """Give the next ranges to those who have least to do."""
        for member in sorted(self._members, key=lambda member: len(member.at)):
            if member.is_ready and len(member.at) < _AT_ONCE:
                range_ = self._ranges.take() or (None if member.at else self._of_a_slow_one())
                if range_ is not None:
                    member.since = member.since if member.at else time.monotonic()
                    member.at.append(range_.start)
                    member.worker.send(range_)

    def _of_a_slow_one(self) -> Range | None:
        """A range that one worker has and does not come to, so that another does it as well: who is first makes the shard.

        Only when all ranges are given out: before, there will be something that nobody does yet.
        """
        if not self._ranges.is_given_out:
            return None
        waiting = [start for member in self._members for start in member.at[1:]]
        if self._seconds:
            long_ago = time.monotonic() - _SLOW * statistics.median(self._seconds)
            waiting += [member.at[0] for member in self._members if member.at and member.since < long_ago]
        at = [start for member in self._members for start in member.at]
        alone = (self._ranges.to_make(start) for start in waiting if at.count(start) == 1)
        return next((range_ for range_ in alone if range_ is not None), None)

    def _hear(self, member: _Member, kind: str, content: Any) -> None:
        match kind:
            case "failed":
                raise put_together(content)
            case "ready":
                member.is_ready, self.done.encoder = True, content
            case "read":
                self._read(content)
            case "embedded":
                self._on_progress(self._now.embedded(*content))
            case "over":
                start, log = content
                self._ranges.over(start)
                self._report(log)
                member.at.remove(start)
            case "made":
                self._commit(member, content)

    def _read(self, read: ReadRange) -> None:
        if self._ranges.read(read.start, read.stop, read.mark):
            self._writer.announce(read.start)
            self._report(read.log)
            self._now.read(read)

    def _report(self, log: ReadLog) -> None:
        """Note what was irregular in the corpus; it comes in the order of the sentences."""
        for kind, more in log.warnings.items():
            known = self.done.log.warnings.setdefault(kind, WarningCount(more.message))
            known.count += more.count
            known.places += more.places[: MOST_PLACES - len(known.places)]

    def _commit(self, member: _Member, made: MadeShard) -> None:
        start, now = made.sentences.start, time.monotonic()
        member.at.remove(start)
        self._seconds.append(now - member.since)
        member.since = now
        if not self._ranges.made(start):  # by another one, who was faster
            made.partial.unlink(missing_ok=True)
            return
        self._writer.commit(made)
        self.done.num_words += made.counts["num_words"]
        self.done.num_subwords += made.counts["num_subwords"]
        self._on_progress(self._now.made(start, made.counts["num_sentences"], made.counts["num_words"]))

    def _replace(self, member: _Member) -> None:
        """A worker has ended that should not have."""
        self._members.remove(member)
        at = f"sentence {member.at[0]:,} (counted from 0) and those after it" if member.at else "its beginning"
        self._lost.append(f"a worker {member.worker.end()} at {at}")
        for start in member.at:
            if not any(start in other.at for other in self._members):
                self._ranges.lost(start)
                self._now.lost(start)
        if len(self._lost) > self._max_retries:
            lines = "\n".join(f"  {line}" for line in self._lost)
            raise EmbedpipeError(
                f"{len(self._lost)} workers could not do their work:\n{lines}\n{self._workplace.memory_hint} What is sealed is "
                "kept; run the same command again to go on."
            )
        self.start(member.number)
