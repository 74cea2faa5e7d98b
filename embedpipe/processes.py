"""Processes that work for this one: Ctrl-C does not reach them, they end with it, and what they raise is raised here."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, parent_process, resource_tracker
from typing import TYPE_CHECKING, Any, TypeAlias

from embedpipe.errors import EmbedpipeError
from embedpipe.garbage import search_rarely

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Message: TypeAlias = "tuple[str, Any]"
"""What it is, and what there is to say of it: ``("epoch", 3)``; ``("failed", taken_apart(error))`` is the last one."""

_THREADS = "OMP_NUM_THREADS"
_SECONDS_TO_END = 5


@dataclass(frozen=True)
class ChildProcess:
    """A process and the channel to it."""

    process: SpawnProcess
    channel: Connection

    @classmethod
    def start(cls, target: Callable[[Connection], None], name: str) -> ChildProcess:
        """Start a process.

        :param target: Is given the other end of the channel; begins with :func:`serve`.
        :raises OSError: If the system has none left.
        """
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=target, args=(theirs,), name=name, daemon=True)
        with _uninterrupted():
            process.start()
        theirs.close()  # so that the end of the process is the end of the channel
        return cls(process, ours)

    def receive(self) -> Message | None:
        """What it has to say; ``None`` if it has ended."""
        try:
            message: Message = self.channel.recv()
        except (EOFError, OSError):  # it ended between two messages, or within one
            return None
        return message

    def send(self, pickled: bytes) -> None:
        """Tell it something; if it has ended, that is heard next."""
        with contextlib.suppress(OSError):
            self.channel.send_bytes(pickled)

    def end(self) -> int:
        """Wait until it has ended.

        :returns: Its exit status; the negative number of the signal that has killed it.
        """
        self.channel.close()
        self.process.join()
        return self.process.exitcode or 0


def end_all(processes: list[ChildProcess]) -> None:
    """End processes: they have nothing to do, or are not to go on."""
    for each in processes:
        each.process.terminate()
    for each in processes:
        each.process.join(_SECONDS_TO_END)
        each.process.kill()
        each.end()


def pickled(work: Any, otherwise: str) -> bytes:
    """What is handed to a process.

    :param otherwise: What else the user can do.
    :raises EmbedpipeError: If it has something that only this process knows.
    """
    try:
        return pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise EmbedpipeError(
            f"the work cannot be handed to other processes ({error}): a component of the config is of a class that only this "
            f"process has. Put the class into a module, or {otherwise}."
        ) from error


@contextlib.contextmanager
def serve(channel: Connection) -> Iterator[None]:
    """In a process that was started: what is raised within the block is sent, and it ends where its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who started this process ends it
    search_rarely()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        yield
    except Exception as error:
        if not isinstance(error, EmbedpipeError):
            error.add_note(f"In a process of its own:\n{traceback.format_exc()}")
        channel.send(("failed", taken_apart(error)))


@contextlib.contextmanager
def share_of_cores(num_workers: int) -> Iterator[None]:
    """Within the block, processes start with as many threads as there are cores for each; what is set already stays."""
    if _THREADS in os.environ:
        yield
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ[_THREADS] = str(max(1, cores // num_workers))
    try:
        yield
    finally:
        del os.environ[_THREADS]


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """A process that starts within the block never gets Ctrl-C, not even while it starts; here, it comes after the block."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def how_it_ended(exit_code: int) -> str:
    """How a process has ended."""
    if exit_code >= 0:
        return f"ended with exit status {exit_code}"
    with contextlib.suppress(ValueError):
        return f"was killed ({signal.Signals(-exit_code).name})"
    return f"was killed (signal {-exit_code})"


def _end_with_parent() -> None:
    """Whatever ends the one who listens, do not train on for nobody, and beside the next one."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def taken_apart(error: Exception) -> bytes:
    """An exception for another process. Ours take other arguments than they keep, which is more than pickle understands."""
    content = (type(error), error.args, vars(error)) if isinstance(error, EmbedpipeError) else error
    try:
        pickled = pickle.dumps(content)
        put_together(pickled)
    except Exception:
        return pickle.dumps(RuntimeError("".join(traceback.format_exception(error))))
    return pickled


def put_together(pickled: bytes) -> Exception:
    """The exception that was taken apart."""
    content = pickle.loads(pickled)
    if isinstance(content, Exception):
        return content
    kind, arguments, attributes = content
    error: Exception = kind.__new__(kind)
    error.args = arguments
    vars(error).update(attributes)
    return error
