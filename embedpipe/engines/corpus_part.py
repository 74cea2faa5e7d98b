"""A corpus for someone who needs one range of its sentences after the other, and reads no more of it than must be."""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from embedpipe.blocks import ReadOn
from embedpipe.corpus import has_bookmarks
from embedpipe.dataflow import ReadLog
from embedpipe.engines.ranges import Mark

if TYPE_CHECKING:
    from embedpipe.dataflow import Corpus, Sentence
    from embedpipe.engines.growth import OldPart
    from embedpipe.engines.ranges import Range

_SENTENCES_A_MARK = 1024


class CorpusPart:
    """Goes on in the corpus where it can, and begins anew, at a mark, where it must.

    :param joined: Whether the encoder sees a sentence beside those of its document.
    :param old_part: Of a store that grows: what the corpus must still begin with.
    """

    def __init__(self, corpus: Corpus, old_part: OldPart | None, *, joined: bool) -> None:
        self._at = 0
        self._corpus = corpus
        self._old_part = old_part
        self._joined = joined
        self._begin(None)

    @property
    def size_bytes(self) -> int:
        """Of the corpus's files."""
        return self._log.size_bytes

    def at(self, range_: Range) -> tuple[int, Iterator[Sentence]]:
        """Go to a range.

        :returns: The number of the first sentence that is given, for the context of the range, and the sentences from it on,
            until this is called again.
        :raises CorpusError: If the corpus cannot be read.
        """
        mark = range_.begin
        if range_.start < self._at or (mark is not None and mark.number > self._log.number):
            self._begin(mark)
        self._at = range_.start
        self._log.go_to(range_)
        self._forget(before=range_.start)
        return self._sentences.at(range_.start)

    def position(self, number: int) -> int:
        """Where in the corpus's files a sentence begins, in bytes, if the one before it has been given.

        About: readers are ahead by a little.
        """
        return self._ends[number - 1]

    def warnings(self, stop: int | None) -> ReadLog:
        """What was irregular before the sentence ``stop``, or in all of the corpus, and is not reported yet."""
        return self._log.unreported(stop)

    def mark(self, stop: int) -> Mark | None:
        """The last place known from which the sentence ``stop``, and all that comes after, can be read; with its document."""
        first = self._documents[stop - 1] if self._joined else stop
        return next((mark for mark in reversed(self._marks) if mark.number <= first), None)

    def _begin(self, mark: Mark | None) -> None:
        """Read from a mark on, or from the beginning."""
        first = mark.number if mark else 0
        self._log = _NumberedLog(begin=mark.bookmark if mark else None, number=first)
        sentences = self._corpus.sentences(self._log)
        if self._old_part is not None and mark is None:
            sentences = self._old_part.checked(sentences, joined=self._joined)
        self._sentences = ReadOn(self._watched(sentences), joined=self._joined, first=first)
        self._at = first
        self._marks = deque([mark] if mark else [])
        self._ends: dict[int, int] = {first - 1: mark.bookmark.position_bytes if mark else 0}
        self._documents: dict[int, int] = {}

    def _watched(self, sentences: Iterable[Sentence]) -> Iterator[Sentence]:
        """The same; and of each of them where it ends in the files, in bytes, and where its document begins."""
        document, document_start, log, gives_marks = None, 0, self._log, has_bookmarks(self._corpus)
        for number, sentence in enumerate(sentences, log.number):
            log.number = number + 1
            if sentence.document != document:
                document, document_start = sentence.document, number
            self._ends[number], self._documents[number] = log.position_bytes, document_start
            yield sentence
            if gives_marks and (number + 1) % _SENTENCES_A_MARK == 0 and (bookmark := log.bookmark()) is not None:
                self._marks.append(Mark(number + 1, bookmark))

    def _forget(self, before: int) -> None:
        for known in (self._ends, self._documents):
            for number in list(itertools.takewhile(lambda number: number < before - 1, known)):
                del known[number]
        first = self._documents.get(before - 1, before) if self._joined else before
        while len(self._marks) > 1 and self._marks[1].number <= first:
            self._marks.popleft()


class _Note(NamedTuple):
    number: int
    kind: str
    place: str
    message: str


@dataclass(slots=True)
class _NumberedLog(ReadLog):
    """Keeps each irregularity with the number of the sentence that is being read, until it is reported.

    :param number: Of the next sentence.
    """

    number: int = 0
    _range: Range | None = None
    _notes: deque[_Note] = field(default_factory=deque)
    _before: ReadLog = field(default_factory=ReadLog)

    def warn(self, kind: str, place: str, message: str) -> None:
        self._note(_Note(self.number, kind, place, message))

    def go_to(self, range_: Range) -> None:
        """What is before a range is only counted, and what has been reported forgotten."""
        self._range, notes = range_, self._notes
        self._before, self._notes = ReadLog(), deque()
        for note in notes:
            self._note(note)

    def unreported(self, stop: int | None) -> ReadLog:
        """Everything before the sentence ``stop`` that has not been reported."""
        found = copy.deepcopy(self._before)
        for note in self._notes:
            if stop is None or note.number < stop:
                found.warn(*note[1:])
        return found

    def _note(self, note: _Note) -> None:
        if self._range is None or note.number >= self._range.start:
            self._notes.append(note)
        elif note.number >= self._range.reported:
            self._before.warn(*note[1:])
