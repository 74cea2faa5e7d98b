"""What the columns of a CoNLL-like file are, told from its first lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Split = Callable[[str], list[str]]

DOCUMENT_START = "-DOCSTART-"
SEPARATORS = {"tab": "\t", "space": " ", "comma": ","}

_RUNS = re.compile(r"[ \t]+")
_KEYED_COMMENT = re.compile(r"# (newdoc|newpar)\b|# [\w.:-]+( id)? *= ")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one file.

    :param split: Cuts a line into columns.
    :param num_columns: How many every line has.
    :param word: Column of the words.
    :param labels: Column of each label, counted from 0.
    :param index: Whether column 0 numbers the words of each sentence.
    """

    split: Split
    num_columns: int
    word: int
    labels: Mapping[str, int]
    index: bool

    def is_comment(self, line: str) -> bool:
        """Whether a line between two sentences is a comment, and not the word ``#`` or a hashtag with its labels."""
        if not line.startswith("#") or ("\t" in line and len(self.split(line)) == self.num_columns):
            return False
        if _KEYED_COMMENT.match(line):
            return True
        return line[:2] in ("#", "# ") and len(self.split(line)) != self.num_columns


def is_blank(line: str) -> bool:
    """Whether a line ends a sentence: empty, or only tabs and spaces."""
    return not line or not line.strip("\t ")


def is_document_start(line: str, columns: Sequence[str]) -> bool:
    """Whether a line starts a document: ``-DOCSTART- -X- O O``, with or without an index in front, or ``-X- -X- O``."""
    if DOCUMENT_START in line:
        return DOCUMENT_START in columns or line.startswith(DOCUMENT_START)
    return "-X-" in line and columns.count("-X-") > 1 and set(columns) <= {"-X-", "O"}


def splitter(separator: str | None, first_line: str) -> Split:
    """How the lines of a file are cut.

    :param separator: As the user gave it; ``None`` means tabs if the first line has one, else runs of spaces (and tabs in
        a line that has any).
    """
    if separator is None:
        return _at_tabs if "\t" in first_line else _at_tabs_or_spaces
    if separator == "whitespace":
        return lambda line: _RUNS.split(line.strip("\t "))
    literal = SEPARATORS.get(separator, separator)
    return lambda line: line.split(literal)


def first_data_line(head: Sequence[str]) -> tuple[int, str] | None:
    """Index and text of the first line that looks like a word with its labels, one without ``#`` if there is any."""
    candidates = [
        (index, line) for index, line in enumerate(head) if not (is_blank(line) or is_document_start(line, line.split()))
    ]
    plain = [(index, line) for index, line in candidates if not line.startswith("#")]
    keyless = [(index, line) for index, line in candidates if not _KEYED_COMMENT.match(line)]
    return next(iter(plain or keyless or candidates), None)


def has_index(head: Iterable[str], columns: Columns) -> bool:
    """Whether the first column counts the words of every sentence, all from 0 or all from 1.

    Two lines at least must say so, in three columns at least, and the second column must not be a label.
    """
    if columns.num_columns < 3 or 1 in columns.labels.values():
        return False
    starts = set()
    num_lines = 0
    for sentence in _sentences(head, columns):
        numbers = [number for number, *_ in sentence]
        num_lines += len(numbers)
        start = numbers[0]
        if start not in ("0", "1") or numbers != [str(int(start) + step) for step in range(len(numbers))]:
            return False
        starts.add(start)
    return num_lines > 1 and len(starts) == 1


def _at_tabs(line: str) -> list[str]:
    return line.split("\t")


def _at_tabs_or_spaces(line: str) -> list[str]:
    columns = line.split("\t" if "\t" in line else " ")
    return [column for column in columns if column] if "" in columns and "\t" not in line else columns


def _sentences(head: Iterable[str], columns: Columns) -> Iterator[list[list[str]]]:
    """The lines of each sentence, in columns; comments and document starts left out."""
    rows: list[list[str]] = []
    for line in head:
        row = columns.split(line)
        if is_blank(line) or is_document_start(line, row) or (not rows and columns.is_comment(line)):
            if rows:
                yield rows
            rows = []
        else:
            rows.append(row)
    if rows:
        yield rows
