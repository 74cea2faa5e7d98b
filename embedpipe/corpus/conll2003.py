"""The column formats of CoNLL-2003 and its many relatives: a word a line, a blank line between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from embedpipe.corpus.columns import Columns, first_data_line, has_index, is_blank, is_document_start, splitter
from embedpipe.corpus.files import check_path, counted, find_files, shown
from embedpipe.corpus.line_reader import LineReader
from embedpipe.corpus.reading import Carried, read_files
from embedpipe.corpus.tags import to_bio
from embedpipe.dataflow import ReadLog, Sentence, SentenceFlag
from embedpipe.errors import CorpusError

_HEAD_LINES = 1000
_NEW_DOCUMENT = re.compile(r"# *newdoc(?: id)? *=? *(.*)")
_SENTENCE_ID = re.compile(r"# *sent_id *= *(.+)")


def _last_column() -> Mapping[str, int]:
    return {"ner": -1}


@dataclass(frozen=True)
class Conll2003:
    """Words in columns with their labels, a word a line and a blank line between sentences, as CoNLL-2003 has them.

    ``-DOCSTART-`` lines and ``# newdoc`` comments start documents, and so does a new file; ``# sent_id`` gives a sentence its
    id. Lines that break the format in the ways that published files do (separators of white space, empty words, spaces in
    words) are read without shifting a row, and recorded as warnings.

    :param path: A file, a pattern (``data/*.txt``), ``sample:NAME``, or several of them; gzip is recognised by itself.
    :param separator: What separates columns: ``tab``, ``space`` (exactly one), ``comma``, ``whitespace`` (a run of spaces and
        tabs) or any other literal string; by default tabs if the file's first line has one, else runs of spaces.
    :param word_column: Column of the words, from 0; by default 0, or 1 where column 0 numbers the words of each sentence.
    :param labels: Column of each label, from 0, or from the end with negative numbers; an index column counts.
    :param scheme: ``bio`` brings the tags of IOB1, BIO, BIOES, BILOU and BMES columns to BIO, ``raw`` leaves them.
    """

    path: str | tuple[str, ...]
    separator: str | None = None
    word_column: int | None = None
    labels: Mapping[str, int] = field(default_factory=_last_column)
    scheme: Literal["bio", "raw"] = "bio"

    def __post_init__(self) -> None:
        check_path(self.path)
        if self.separator == "":
            raise ValueError("separator: is empty; leave it out to have it detected")
        if self.word_column is not None and self.word_column < 0:
            raise ValueError(f"word_column: got {self.word_column}; columns are counted from 0")
        if self.word_column is not None and self.word_column in self.labels.values():
            raise ValueError(f"labels: column {self.word_column} is the word column already")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in reading order."""
        return find_files(self.path)

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        """Yield the sentences; the spacing between words is not known.

        :raises CorpusError: If a file cannot be read, a line has more or fewer columns than the first, or there is no sentence.
        """
        return read_files(self.files, log, lambda *file: _File(self, *file).sentences())


class _File:
    """One file being read: the sentence that is coming together."""

    def __init__(self, reader: Conll2003, lines: LineReader, carried: Carried) -> None:
        self.reader, self.lines, self.carried, self.file = reader, lines, carried, lines.file
        self.sentence_id: str | None = None
        self.rows: list[list[str]] = []
        self.first_line = 0
        self.irregular = False

    def sentences(self) -> Iterator[Sentence]:
        """Read the file."""
        columns = self._columns(self._head())
        if columns is None:  # nothing but comments and blank lines
            return
        for line in self.lines:
            if is_blank(line):
                if line:
                    self._warn("blank-separator", "a line of only white space, read as the blank line between two sentences")
                if self.rows:
                    yield self._sentence(columns)
                self.irregular = False
            elif not self.rows and columns.is_comment(line):
                self._comment(line)
            elif is_document_start(line, row := columns.split(line)):
                sentence = self._sentence(columns) if self.rows else None
                self.carried.document = None
                if sentence is not None:
                    yield sentence
            else:
                self._add(line, row, columns)
        if self.rows:
            yield self._sentence(columns)

    def _head(self) -> list[str]:
        """The first lines of the file; among them one that is not blank, if there is any."""
        lines = iter(self.lines.head())
        head: list[str] = []
        while more := list(islice(lines, _HEAD_LINES)):
            head += more
            if first_data_line(more) is not None:
                break
        return head

    def _columns(self, head: list[str]) -> Columns | None:
        """Tell the columns from the first lines of the file."""
        found = first_data_line(head)
        if found is None:
            return None
        index, line = found
        split = splitter(self.reader.separator, line)
        num_columns = len(split(line))
        word = self.reader.word_column or 0
        labels = {name: column + num_columns if column < 0 else column for name, column in self.reader.labels.items()}
        columns = Columns(split, num_columns, word, labels, index=False)
        if self.reader.word_column is None and has_index(head, columns):
            word = 1
            columns = Columns(split, num_columns, word, labels, index=True)
        if word >= num_columns:
            raise self._missing_column(f"the words should be in column {word}", index + 1, line, columns)
        for name, column in labels.items():
            if not 0 <= column < num_columns or column == word:
                wanted = f"the label {name!r} should be in column {self.reader.labels[name]}"
                raise self._missing_column(wanted, index + 1, line, columns)
        return columns

    def _missing_column(self, wanted: str, line_number: int, line: str, columns: Columns) -> CorpusError:
        has = counted(columns.num_columns, "column")
        message = f"{wanted}, but the line has {has}, counted from 0, with the word in column {columns.word}: {shown(line)}"
        return CorpusError(self.file, line_number, f"{message}. Set labels, word_column or separator to suit the file")

    def _add(self, line: str, row: list[str], columns: Columns) -> None:
        """Take in the line of a word."""
        if len(row) != columns.num_columns:
            message = f"has {counted(len(row), 'column')} where the file's first line has {columns.num_columns}: {shown(line)}"
            raise CorpusError(self.file, self.lines.number, f"{message}. Mend the line, or set separator")
        if not self.rows:
            self.first_line = self.lines.number
        word = row[columns.word]
        if not word:
            self._warn("empty-word", "a line without a word; it keeps its row as an empty word")
        elif " " in word or "\t" in word:
            self._warn("space-in-word", "a word with a space in or around it, kept as it is")
        if columns.index and self.rows and not row[0].isdigit():
            self._warn("index-column", "no number in the column that numbers the words up to here")
        self.rows.append(row)

    def _comment(self, line: str) -> None:
        """Take a document's or a sentence's id out of a comment."""
        if match := _NEW_DOCUMENT.fullmatch(line):
            self.carried.document = match[1].strip() or self.carried.ids.unnamed_document()
            if self.carried.ids.has_document(self.carried.document):
                self._warn("document-again", "a document id that was used before; its sentences are counted on")
        elif match := _SENTENCE_ID.fullmatch(line):
            self.sentence_id = match[1].strip()

    def _sentence(self, columns: Columns) -> Sentence:
        """Make the sentence of the rows, and start the next."""
        carried = self.carried
        carried.document = carried.document or carried.ids.unnamed_document()
        id, document = carried.ids.take(carried.document, self.sentence_id, self.file, self.first_line)
        by_column = list(zip(*self.rows, strict=True))
        convert = to_bio if self.reader.scheme == "bio" else tuple
        labels = {name: convert(by_column[column]) for name, column in columns.labels.items()}
        sentence = Sentence.from_words(id, document, by_column[columns.word], labels=labels)
        if self.irregular:
            sentence = replace(sentence, flags=sentence.flags | SentenceFlag.SOURCE_WARNING)
        self.rows, self.sentence_id, self.irregular = [], None, False
        return sentence

    def _warn(self, kind: str, message: str) -> None:
        self.irregular = True
        self.lines.warn(kind, message)
