"""Words separated by white space, a sentence a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embedpipe.corpus.documents import DocumentUnit, sentence_a_line
from embedpipe.corpus.files import check_path, find_files
from embedpipe.dataflow import ReadLog, Sentence

# str.split() also splits at these control characters, which no one types to separate words.
WORD = re.compile(r"[\S\x1c-\x1f\x85]+")


@dataclass(frozen=True)
class Words:
    """Words that are known already: a sentence a line, white space between the words.

    White space is Unicode's, the ideographic and the no-break space included; control characters other than tab, vertical
    tab, form feed and carriage return belong to words. A blank line is a sentence without words and keeps its row, unless
    blank lines separate documents.

    :param path: A file, a pattern (``data/*.txt``), ``sample:NAME``, or several of them; gzip is recognised by itself.
    :param document: What a document is: a ``file`` (its id is the file's name), a ``line``, or the lines between two blank ones
        (``blank_line``; blank lines are no sentences then).
    """

    path: str | tuple[str, ...]
    document: DocumentUnit = "file"

    def __post_init__(self) -> None:
        check_path(self.path)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in reading order."""
        return find_files(self.path)

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        """Yield a sentence a line; ids are ``<document>/<n>``, so that ``n`` is the line's number where a document is a file.

        :raises CorpusError: If a file cannot be read, or none has a line.
        """
        return sentence_a_line(self.files, log, self.document, _sentence)


def _sentence(id: str, document: str, line: str) -> Sentence:
    return Sentence.from_words(id, document, WORD.findall(line))
