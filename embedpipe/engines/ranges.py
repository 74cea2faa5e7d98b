"""Which sentences are whose, where several make the shards of one store.

Where a shard ends is known by whoever has read its sentences, long before it is embedded. So one range is given out at a time,
open at its end; when it has been read, the next one begins where it ends. What is lost is given out again, first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from embedpipe.dataflow import Bookmark


class Mark(NamedTuple):
    """Where in the files of a corpus its sentence ``number`` begins."""

    number: int
    bookmark: Bookmark


@dataclass(frozen=True, slots=True)
class Range:
    """Sentences from the first number up to the second; ``None``: to the end of the corpus. A shard takes as many as fit.

    :param begin: A place from which they, and what they have for a context, can be read; ``None``: the beginning of the corpus.
    :param reported: So many sentences from the first on have been read by someone, who has reported what is irregular there.
    """

    start: int
    stop: int | None
    begin: Mark | None = None
    reported: int = 0


class Ranges:
    """What is to be done, and what is being done.

    :param gaps: Sentences without a shard; the last gap has no end.
    """

    def __init__(self, gaps: Sequence[tuple[int, int | None]]) -> None:
        self._gaps = deque(gaps)
        self._again: deque[Range] = deque()
        self._unread: Range | None = None
        self._read: dict[int, Range] = {}
        self._last_mark: Mark | None = None
        self._num_reported = 0

    def take(self) -> Range | None:
        """Something to read and embed; ``None`` where that is not known yet, or there is nothing any more."""
        if self._again:
            range_ = self._again.popleft()
            if range_.stop is not None:
                self._read[range_.start] = range_
            return range_
        if self._unread is not None or not self._gaps:
            return None
        self._unread = Range(*self._gaps.popleft(), self._last_mark, self._num_reported)
        return self._unread

    def read(self, start: int, end: int, mark: Mark | None = None) -> bool:
        """A range has been read: the sentences up to ``end`` are a shard.

        :param mark: A place from which all that comes after it can be read.
        :returns: Whether that was not known before.
        """
        if self._unread is None or self._unread.start != start:
            return False
        stop, self._read[start] = self._unread.stop, replace(self._unread, stop=end)
        self._unread, self._last_mark, self._num_reported = None, mark or self._last_mark, max(self._num_reported, end)
        if stop is None or end < stop:
            self._gaps.appendleft((end, stop))
        return True

    def over(self, start: int) -> None:
        """There is no sentence from ``start`` on."""
        self._unread = None

    def made(self, start: int) -> bool:
        """The shard that begins at ``start`` is there.

        :returns: Whether it was still to be made; if not, another one who had the range was faster.
        """
        return self._read.pop(start, None) is not None

    def to_make(self, start: int) -> Range | None:
        """The range that begins at ``start``, if it has been read and its shard is not there."""
        return self._read.get(start)

    def lost(self, start: int) -> None:
        """Nobody has the range that begins at ``start`` any more."""
        if self._unread is not None and self._unread.start == start:
            self._gaps.appendleft((start, self._unread.stop))
            self._unread = None
        elif start in self._read:
            self._again.append(self._read.pop(start))

    @property
    def is_given_out(self) -> bool:
        """Whether nothing is left, and will be, that nobody has, if nobody is lost."""
        return not (self._gaps or self._again or self._unread)

    @property
    def is_done(self) -> bool:
        """Whether every sentence has its shard."""
        return not (self._gaps or self._again or self._read or self._unread)
