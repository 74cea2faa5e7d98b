"""How far an extraction is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedpipe.dataflow import Block, ReadLog, Sentence


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an extraction is. ``done_bytes`` of ``size_bytes`` of the corpus's files are embedded."""

    num_sentences: int
    num_words: int
    num_subwords: int
    done_bytes: int
    size_bytes: int

    def after(self, block: Block, position_bytes: int) -> Progress:
        """How far it is when a block is embedded that was read up to a position."""
        return replace(
            self,
            num_sentences=self.num_sentences + len(block.sentences),
            num_words=self.num_words + len(block.word_flags),
            num_subwords=self.num_subwords + len(block.subword_ids),
            done_bytes=position_bytes,
        )

    def within(self, part: int, whole: int, position_bytes: int) -> Progress:
        """How far it is when ``part`` of the ``whole`` subwords are embedded of a block that was read up to a position."""
        ahead = (position_bytes - self.done_bytes) * part // max(1, whole)
        return replace(self, num_subwords=self.num_subwords + part, done_bytes=self.done_bytes + ahead)


class Positions:
    """Passes sentences on and remembers how far the corpus was read at each, as reading is ahead of embedding.

    :param start: Of so many sentences at the beginning, nothing is remembered.
    """

    def __init__(self, sentences: Iterable[Sentence], log: ReadLog, start: int) -> None:
        self._sentences = sentences
        self._log = log
        self._start = start
        self._positions: deque[int] = deque()

    def __iter__(self) -> Iterator[Sentence]:
        for number, sentence in enumerate(self._sentences):
            if number >= self._start:
                self._positions.append(self._log.position_bytes)
            yield sentence

    def after(self, num_sentences: int) -> int:
        """The position, in bytes, behind so many of those that are remembered."""
        return self._positions[num_sentences - 1]

    def forget(self, num_sentences: int) -> None:
        for _ in range(num_sentences):
            self._positions.popleft()
