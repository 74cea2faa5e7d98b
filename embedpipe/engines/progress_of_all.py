"""How far an extraction is whose shards are made by several at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from embedpipe.progress import Progress

if TYPE_CHECKING:
    from embedpipe.engines.shard_worker import ReadRange


class ProgressOfAll:
    """What is stored, and of what is being embedded the part that is done.

    :param num_stored: Sentences that were there before.
    """

    def __init__(self, num_stored: int) -> None:
        self._stored = Progress(num_stored, 0, 0, 0, 0)
        self._coming: dict[int, tuple[ReadRange, int, int]] = {}

    def read(self, read: ReadRange) -> None:
        """A range will be embedded."""
        self._coming[read.start] = (read, 0, 1)
        self._stored = replace(self._stored, size_bytes=read.size_bytes)

    def embedded(self, start: int, part: int, whole: int) -> Progress:
        """Of the ``whole`` subwords of the range that begins at ``start``, ``part`` are done."""
        read, _, _ = self._coming[start]
        self._coming[start] = (read, part, whole)
        return self._all()

    def made(self, start: int, num_sentences: int, num_words: int) -> Progress:
        """The shard of the range that begins at ``start`` is stored."""
        read, part, _ = self._coming.pop(start)
        self._stored = replace(
            self._stored,
            num_sentences=self._stored.num_sentences + num_sentences,
            num_words=self._stored.num_words + num_words,
            num_subwords=self._stored.num_subwords + part,
            done_bytes=self._stored.done_bytes + read.num_bytes,
        )
        return self._all()

    def lost(self, start: int) -> None:
        """The range that begins at ``start`` is embedded again."""
        self._coming.pop(start, None)

    def _all(self) -> Progress:
        now = self._coming.values()
        return replace(
            self._stored,
            num_subwords=self._stored.num_subwords + sum(part for _, part, _ in now),
            done_bytes=self._stored.done_bytes + sum(read.num_bytes * part // max(1, whole) for read, part, whole in now),
        )
