"""Which sentences are whose, where several make the shards of one store.

Where a shard ends is known by whoever has read its sentences, long before it is embedded. So one range is given out at a time,
open at its end; when it has been read, the next one begins where it ends. What is lost is given out again, first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

Range: TypeAlias = "tuple[int, int | None]"
"""Sentences from the first number up to the second; ``None``: to the end of the corpus. A shard takes as many as fit."""


class Ranges:
    """What is to be done, and what is being done.

    :param gaps: Sentences without a shard; the last gap has no end.
    """

    def __init__(self, gaps: Sequence[Range]) -> None:
        self._gaps = deque(gaps)
        self._again: deque[Range] = deque()
        self._unread: Range | None = None
        self._read: dict[int, int] = {}

    def take(self) -> Range | None:
        """Something to read and embed; ``None`` where that is not known yet, or there is nothing any more."""
        if self._again:
            start, stop = self._again.popleft()
            if stop is not None:
                self._read[start] = stop
            return start, stop
        if self._unread is not None or not self._gaps:
            return None
        self._unread = self._gaps.popleft()
        return self._unread

    def read(self, start: int, end: int) -> bool:
        """A range has been read: the sentences up to ``end`` are a shard.

        :returns: Whether that was not known before.
        """
        if self._unread is None or self._unread[0] != start:
            return False
        stop, self._unread, self._read[start] = self._unread[1], None, end
        if stop is None or end < stop:
            self._gaps.appendleft((end, stop))
        return True

    def over(self, start: int) -> None:
        """There is no sentence from ``start`` on."""
        self._unread = None

    def made(self, start: int) -> None:
        """The shard that begins at ``start`` is committed."""
        del self._read[start]

    def lost(self, start: int) -> None:
        """Whoever had the range that begins at ``start`` is gone."""
        if self._unread is not None and self._unread[0] == start:
            self._gaps.appendleft(self._unread)
            self._unread = None
        elif start in self._read:
            self._again.append((start, self._read.pop(start)))

    @property
    def is_done(self) -> bool:
        """Whether every sentence has its shard."""
        return not (self._gaps or self._again or self._read or self._unread)
