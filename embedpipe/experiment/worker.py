"""One of several processes that train: it is given all trainings once, and is then told which ones to do."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING, Any, TypeAlias

from embedpipe.errors import EmbedpipeError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from embedpipe.downstream.heads.head import Epoch
    from embedpipe.experiment.labelled import Labelled
    from embedpipe.experiment.run import Run
    from embedpipe.experiment.run_files import RunFolder

Message: TypeAlias = "tuple[str, Any]"
"""``("ready", None)`` to be given the work, ``("epoch", 3)``, ``("done", None)``, or ``("failed", taken_apart(error))``."""


@dataclass(frozen=True)
class Work:
    """What every worker is given, in one piece, in which nothing comes twice. Stores are opened again where it is unpickled.

    :param runs: By key.
    """

    runs: Mapping[str, Run]
    labelled: Labelled
    folder: RunFolder


def work(channel: Connection) -> None:
    """Train what one is told, until told ``None``.

    :param channel: A :class:`Work` comes in and then keys; messages go out.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who started this process ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        import torch  # noqa: F401  # seconds that are not the first run's

        from embedpipe.experiment.training import train

        channel.send(("ready", None))
        having: Work = pickle.loads(channel.recv_bytes())
        while (key := channel.recv()) is not None:
            train(having.runs[key], having.labelled, having.folder, lambda epoch: _tell(channel, epoch))
            channel.send(("done", None))
    except Exception as error:
        if not isinstance(error, EmbedpipeError):
            error.add_note(f"In a process of its own:\n{traceback.format_exc()}")
        channel.send(("failed", taken_apart(error)))


def _tell(channel: Connection, epoch: Epoch) -> None:
    channel.send(("epoch", epoch.number))


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
