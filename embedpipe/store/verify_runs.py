"""The sentences of a file in runs that fit into memory, for the checks of :mod:`~embedpipe.store.verify_rows`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.store import format as names
from embedpipe.store.finding import Fault

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.store.sealed import SealedFile

_SENTENCES_A_READ = 4096
_ROWS_A_READ = 1 << 20
_OFFSETS = {
    names.WORD_OFFSETS: names.WORD_FLAGS,
    names.SUBWORD_OFFSETS: names.SUBWORD_IDS,
    names.offsets_of(names.SENTENCE_ID): names.bytes_of(names.SENTENCE_ID),
    names.offsets_of(names.SENTENCE_TEXT): names.bytes_of(names.SENTENCE_TEXT),
}
"""The offsets of sentences, and what they are offsets into."""


@dataclass(frozen=True, slots=True)
class SentenceRows:
    """A run of sentences of a file, whose offsets are sound."""

    file: SealedFile
    start: int
    stop: int
    offsets: dict[str, IntArray]

    @property
    def num_words(self) -> IntArray:
        return np.diff(self.offsets[names.WORD_OFFSETS])

    @property
    def sentence_of_word(self) -> IntArray:
        """*Shape:* ``(num_words,)``."""
        return np.repeat(np.arange(self.start, self.stop), self.num_words)

    @property
    def word_of_sentence(self) -> IntArray:
        """Number of each word in its sentence. *Shape:* ``(num_words,)``."""
        words = self.offsets[names.WORD_OFFSETS]
        return np.arange(words[0], words[-1]) - np.repeat(words[:-1], self.num_words)

    def words(self, name: str) -> np.ndarray[Any, Any]:
        """The rows of a column of words."""
        return self.file.column(name).read(*self.offsets[names.WORD_OFFSETS][[0, -1]].tolist())

    def sentences(self, name: str) -> np.ndarray[Any, Any]:
        """The rows of a column of sentences."""
        return self.file.column(name).read(self.start, self.stop)

    def of_words(self, rule: str, wrong: np.ndarray[Any, Any], say: str, *columns: np.ndarray[Any, Any]) -> Iterator[Fault]:
        """A fault of the words where ``wrong``; ``say`` is formatted with the word's number and what the columns have."""
        (rows,) = np.nonzero(wrong)
        if len(rows):
            word = self.word_of_sentence
            yield Fault(
                rule,
                lambda index: say.format(*(column[rows[index]] for column in columns), word=word[rows[index]]),
                self.sentence_of_word[rows],
            )

    def of_sentences(self, rule: str, wrong: np.ndarray[Any, Any], say: str, *columns: np.ndarray[Any, Any]) -> Iterator[Fault]:
        """A fault of the sentences where ``wrong``."""
        (rows,) = np.nonzero(wrong)
        if len(rows):
            yield Fault(rule, lambda index: say.format(*(column[rows[index]] for column in columns)), rows + self.start)


def runs_of(file: SealedFile) -> Iterator[SentenceRows | Fault]:
    """Cut the file into runs of sentences whose rows fit into memory; offsets that are not sound are a fault instead."""
    num_sentences, start = file.structure.counts["num_sentences"], 0
    while start < num_sentences:
        stop = min(start + _SENTENCES_A_READ, num_sentences)
        offsets = {name: file.column(name).read(start, stop + 1) for name in _OFFSETS}
        faults = [fault for name, values in offsets.items() for fault in _check_offsets(file, name, values, start)]
        if faults:
            yield from faults
            start = stop
            continue
        ends = [int(np.searchsorted(values, values[0] + _ROWS_A_READ, "right")) - 1 for values in offsets.values()]
        stop = start + max(1, min(stop - start, *ends))
        yield SentenceRows(file, start, stop, {name: values[: stop - start + 1] for name, values in offsets.items()})
        start = stop


def _check_offsets(file: SealedFile, name: str, offsets: IntArray, start: int) -> Iterator[Fault]:
    last = len(file.column(_OFFSETS[name]))
    (wrong,) = np.nonzero((np.diff(offsets) < 0) | (offsets[:-1] < 0) | (offsets[1:] > last))
    if len(wrong):
        say = "{} goes from {} to {}, expected ascending numbers from 0 to {}"
        yield Fault(
            "offsets",
            lambda index: say.format(name, offsets[wrong[index]], offsets[wrong[index] + 1], last),
            wrong + start,
        )
