"""The lock on a store that is being written. It is the system's own, so it dies with the process that holds it."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
import time
from pathlib import Path

from embedpipe.errors import StoreError
from embedpipe.store.format import LOCK

try:
    import fcntl
except ImportError:  # Windows: two runs for one path are then not told apart
    fcntl = None  # type: ignore[assignment]

_LOOK_SECONDS = 0.1


class WriterLock:
    """A locked file, which says who holds it.

    :param path: The lock file; its folder must be there.
    :param store: The store that it is for, named in the error.
    :raises StoreError: If another writer holds it.
    """

    def __init__(self, path: Path, store: Path) -> None:
        self._path = path
        try:
            self._descriptor = _open_locked(path)
        except BlockingIOError:
            raise StoreError(
                f"cannot write the store {store}: {_holder(path)} is writing it. Wait for it to end, or give another path "
                "with --output."
            ) from None
        since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        with contextlib.suppress(OSError):  # the disk may be full: that is for what is written next to say
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)

    def release(self) -> None:
        """Remove the file, and with it the lock; the lock goes even where the file cannot be removed."""
        try:
            if _is_same_file(self._descriptor, self._path):
                self._path.unlink()
        finally:
            os.close(self._descriptor)


def find_writer(folder: Path) -> str | None:
    """Who is writing into a shards folder now: ``process 4711 on host (since ...)``; ``None`` where nobody is known to.

    To tell, the lock is shared for a moment.
    """
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None  # there is none, or it is not for us
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(path)
    except OSError:
        pass  # a file system without locks
    finally:
        os.close(descriptor)
    return None


def _open_locked(path: Path) -> int:
    """Open ``path`` and lock it, taking over what a killed run left there.

    :raises BlockingIOError: If a running process has it.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if fcntl is not None:
                _lock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            pass  # a file system without locks
        if _is_same_file(descriptor, path):  # else its last owner removed it in between
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock a file for its one writer. Who only looks at the lock has it for a moment, so that is waited for."""
    end = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(_LOOK_SECONDS / 10)
        else:
            return


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return f"process {found['pid']} on {found['host']} (since {found['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
