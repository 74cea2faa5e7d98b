"""What runs on a node of a cluster: a worker that is given ranges by calls, and tells what there is when it is listened to."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from embedpipe.engines.shard_worker import serve_ranges
from embedpipe.errors import EmbedpipeError
from embedpipe.processes import put_together, taken_apart

if TYPE_CHECKING:
    from embedpipe.engines.shard_worker import ShardWork
    from embedpipe.processes import Message

_SECONDS_A_REPORT = 0.5
"""Who has nothing to say but how far it is says so no more often."""


class ShardActor:
    """What runs on a node. Its ranges come by :meth:`give`, what it tells goes out by :meth:`listen`.

    :param work: A :class:`ShardWork`, pickled.
    :param folder: Where relative paths begin.
    :param import_path: Where the driver finds modules, those of plug-ins among them; for what is not found otherwise.
    """

    def __init__(self, work: bytes, folder: str, import_path: Sequence[str]) -> None:
        sys.path += [entry for entry in import_path if entry not in sys.path]
        self._ranges: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(work, folder), daemon=True).start()

    def give(self, range_: bytes) -> None:
        """Make the shard of a range, after those given before."""
        self._ranges.put(range_)

    def listen(self) -> bytes:
        """Wait until there is something to tell. Of how far a range is, only the last is told, and that not at once."""
        messages = [self._told.get()]
        until = time.monotonic() + _SECONDS_A_REPORT
        with contextlib.suppress(queue.Empty):
            while True:
                is_report = all(kind == "embedded" for kind, _ in messages)
                messages.append(self._told.get(timeout=max(0.0, until - time.monotonic()) if is_report else 0.0))
        return pickle.dumps(list(_without_old_reports(messages)))

    def _work(self, work: bytes, folder: str) -> None:
        try:
            with contextlib.suppress(OSError):  # all paths may be absolute
                os.chdir(folder)
            serve_ranges(_unpickled(work), map(pickle.loads, iter(self._ranges.get, None)), self._tell)
        except Exception as error:
            self._tell(("failed", taken_apart(error)))

    def _tell(self, message: Message) -> None:
        kind, content = message
        self._told.put((kind, _located(content)) if kind == "failed" else message)


def _unpickled(work: bytes) -> ShardWork:
    try:
        unpickled: ShardWork = pickle.loads(work)
    except ImportError as error:
        raise EmbedpipeError(
            f"a component of the config is of a module that cannot be imported: {error}. Install its package on all nodes"
        ) from error
    return unpickled


def _without_old_reports(messages: Sequence[Message]) -> Iterator[Message]:
    """How far a range is, is said once."""
    last = {content[0]: index for index, (kind, content) in enumerate(messages) if kind == "embedded"}
    for index, (kind, content) in enumerate(messages):
        if kind != "embedded" or last[content[0]] == index:
            yield kind, content


def _located(taken: bytes) -> bytes:
    """The same error, which says on which node it was."""
    error = put_together(taken)
    if isinstance(error, EmbedpipeError):
        error.args = (f"{error} (on the node {socket.gethostname()})",)
    return taken_apart(error)
