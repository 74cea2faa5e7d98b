"""How far an extraction is whose shards are made by several at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embedpipe.progress import Progress

if TYPE_CHECKING:
    from embedpipe.engines.shard_worker import ReadRange


@dataclass(slots=True)
class _Coming:
    """What is being embedded.

    :param part: Of its ``whole`` subwords, those that are done.
    """

    num_bytes: int
    part: int = 0
    whole: int = 1


class ProgressOfAll:
    """What is stored, and of what is being embedded the part that is done.

    :param num_stored: Sentences that were there before.
    """

    def __init__(self, num_stored: int) -> None:
        self._stored = Progress(num_stored, 0, 0, 0, 0)
        self._coming: dict[int, _Coming] = {}
        self._read_bytes = 0

    def read(self, read: ReadRange) -> None:
        """A range has been read for the first time, and will be embedded.

        Ranges come in the order of the sentences. What stands in the files between two of them is stored already; where one
        begins is known only about, so that it is never taken to begin before the end of the last one.
        """
        begin = max(read.begin_bytes, self._read_bytes)
        stored = self._stored.done_bytes + begin - self._read_bytes
        self._stored = replace(self._stored, done_bytes=stored, size_bytes=read.size_bytes)
        self._read_bytes = max(begin, read.end_bytes)
        self._coming[read.start] = _Coming(self._read_bytes - begin)

    def embedded(self, start: int, part: int, whole: int) -> Progress:
        """Of the ``whole`` subwords of the range that begins at ``start``, ``part`` are done; by one of those who have it."""
        if coming := self._coming.get(start):  # else the shard is there already
            coming.part, coming.whole = max(coming.part, part), whole
        return self._all()

    def made(self, start: int, num_sentences: int, num_words: int) -> Progress:
        """The shard of the range that begins at ``start`` is stored."""
        coming = self._coming.pop(start)
        self._stored = replace(
            self._stored,
            num_sentences=self._stored.num_sentences + num_sentences,
            num_words=self._stored.num_words + num_words,
            num_subwords=self._stored.num_subwords + coming.part,
            done_bytes=self._stored.done_bytes + coming.num_bytes,
        )
        return self._all()

    def lost(self, start: int) -> None:
        """The range that begins at ``start`` is embedded again."""
        if coming := self._coming.get(start):
            coming.part = 0

    def _all(self) -> Progress:
        now = self._coming.values()
        return replace(
            self._stored,
            num_subwords=self._stored.num_subwords + sum(each.part for each in now),
            done_bytes=self._stored.done_bytes + sum(each.num_bytes * each.part // max(1, each.whole) for each in now),
        )
