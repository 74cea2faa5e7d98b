"""The lock on a remote store that is being written: an object that says who has it, and is renewed as long as they live."""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time

from embedpipe.errors import EmbedpipeError, StoreError
from embedpipe.store.format import LOCK
from embedpipe.store.remote.files import RemoteFiles, parsed

RENEWED_SECONDS = 20.0
STALE_SECONDS = 120.0
"""Nobody has a lock that was not renewed for so long; clocks must not differ by as much."""


class RemoteLock:
    """Be the only writer. Object storage has no locks that die with their process, so a lock that is not renewed is taken over.

    :raises StoreError: If another process writes the store.
    """

    def __init__(self, remote: RemoteFiles) -> None:
        self._remote = remote
        self._mark = secrets.token_hex(8)
        self._end = threading.Event()
        self._is_lost = False
        if not remote.write_new(LOCK, self._content()):
            self._take_over()
        self._renewing = threading.Thread(target=self._renew, name="embedpipe-lock", daemon=True)
        self._renewing.start()

    def check(self) -> None:
        """Make sure that it is still ours, before anything is said to be committed.

        :raises StoreError: If another process has taken it over.
        """
        if self._is_lost or self._found().get("mark") != self._mark:
            self._is_lost = True
            raise StoreError(
                f"writing {self._remote.url}: another process has taken the store over ({_who(self._found())}), as this one "
                "did not renew its lock in time. It goes on with what was committed"
            )

    def release(self) -> None:
        """Let others write."""
        self._end.set()
        self._renewing.join()
        if not self._is_lost and self._found().get("mark") == self._mark:
            self._remote.remove(LOCK)

    def _take_over(self) -> None:
        found = self._found()
        if time.time() - float(found.get("renewed", 0)) < STALE_SECONDS:
            raise StoreError(
                f"cannot write the store {self._remote.url}: {_who(found)} is writing it. Wait for it to end; if it has been "
                f"killed, its lock ends {STALE_SECONDS:.0f} s after it was last renewed"
            )
        self._remote.remove(LOCK)
        if not self._remote.write_new(LOCK, self._content()):
            raise StoreError(f"cannot write the store {self._remote.url}: {_who(self._found())} has just begun to")

    def _renew(self) -> None:
        while not self._end.wait(RENEWED_SECONDS):
            try:
                self.check()
                self._remote.write(LOCK, self._content())
            except EmbedpipeError:  # who writes next is told
                continue

    def _found(self) -> dict[str, str]:
        found = parsed(self._remote.read(LOCK))
        return found if isinstance(found, dict) else {}

    def _content(self) -> bytes:
        about = {"pid": os.getpid(), "host": socket.gethostname(), "renewed": time.time(), "mark": self._mark}
        return json.dumps(about).encode()


def _who(found: dict[str, str]) -> str:
    return f"process {found['pid']} on {found['host']}" if {"pid", "host"} <= found.keys() else "another process"
