"""Trainings in several processes at once. Which process does which, and in which order, changes nothing in the results."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING

from embedpipe.errors import EmbedpipeError
from embedpipe.experiment.worker import Work, work
from embedpipe.processes import ChildProcess, end_all, how_it_ended, pickled, put_together, share_of_cores

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from typing import Any
_ADVICE = '; a script that compares does so under `if __name__ == "__main__":`'

OnNews = Callable[[str, int, str], None]
"""Called with the key of a run, how many have been done, and what is new of it."""


def train_at_once(given: Work, num_workers: int, on_news: OnNews) -> None:
    """Train in several processes; each keeps a run when it has finished it.

    Each trains with an equal share of the processor's cores, or as many threads as ``OMP_NUM_THREADS`` says. That number may
    change the last digits of what is learned, which the number of processes does not.

    A process that is killed loses the run that it was at, down to its last epoch; the others finish what there is to do. It is
    not replaced: mostly, memory did not suffice for so many.

    :raises EmbedpipeError: What was raised in a process, as soon as it was; or, at the end, if a process was killed.
    """
    crew = _Crew(given, on_news)
    with share_of_cores(num_workers), crew:
        for _ in range(min(num_workers, len(given.runs))):
            crew.start_one()
        crew.finish()


@dataclass
class _Worker:
    """A process, and the key of the run that it is at."""

    child: ChildProcess
    at: str | None = None


class _Crew:
    """The processes, what is left to do for them, and who was lost. At the end of the block, all have ended."""

    def __init__(self, given: Work, on_news: OnNews) -> None:
        self.runs = given.runs
        self.left = list(given.runs)[::-1]
        self.num_done = 0
        self.workers: dict[Connection, _Worker] = {}
        self.lost: list[str] = []
        self._on_news = on_news
        self._given = pickled(given, "compare with one worker")

    def start_one(self) -> None:
        """Start a process."""
        try:
            child = ChildProcess.start(work, "embedpipe worker")
        except OSError as error:
            raise EmbedpipeError(f"cannot start another process to train in: {error.strerror}. Take fewer workers.") from error
        self.workers[child.channel] = _Worker(child)

    def finish(self) -> None:
        """Listen to the processes until all is done, or there is nobody to do it.

        :raises EmbedpipeError: As :func:`train_at_once`.
        """
        while self.workers and self.num_done < len(self.runs):
            for channel in connection.wait(list(self.workers)):
                worker = self.workers[channel]  # type: ignore[index]
                if message := worker.child.receive():
                    self._hear(worker, *message)
                else:
                    self._part_with(worker)
        if self.num_done < len(self.runs):
            raise EmbedpipeError(self._what_was_lost())

    def _hear(self, worker: _Worker, kind: str, content: Any) -> None:
        if kind == "failed":
            raise put_together(content)
        if kind == "epoch" and worker.at is not None:
            self._on_news(worker.at, self.num_done, f", epoch {content}")
            return
        if kind == "ready":
            worker.child.send(self._given)
        if kind == "done" and worker.at is not None:
            self.num_done += 1
            self._on_news(worker.at, self.num_done, "")
        worker.at = self.left.pop() if self.left else None
        worker.child.send(pickle.dumps(worker.at))

    def _part_with(self, worker: _Worker) -> None:
        """A process has ended."""
        del self.workers[worker.child.channel]
        code = worker.child.end()
        if worker.at is not None:
            self.lost.append(f"{self.runs[worker.at].name}: its process {how_it_ended(code)}")
            self._on_news(worker.at, self.num_done, f": its process {how_it_ended(code)}")
        elif code:
            self.lost.append(f"a process {how_it_ended(code)} before it trained anything{_ADVICE if code > 0 else ''}")

    def _what_was_lost(self) -> str:
        lines = "\n".join(f"  {line}" for line in self.lost)
        return (
            f"{len(self.runs) - self.num_done} of {len(self.runs)} trainings could not be finished:\n{lines}\n"
            "The system kills processes (SIGKILL) when memory runs out; then take fewer workers. What is finished is kept, and "
            "of the others each epoch that is; run the same command again to go on."
        )

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *error: object) -> None:
        """End them: they have nothing to do, or are not to go on; what they write is whole at every moment."""
        end_all([worker.child for worker in self.workers.values()])
