"""Tables: CSV and TSV, a sentence a row."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedpipe.corpus.files import check_path, counted, find_files, shown
from embedpipe.corpus.line_reader import LineReader
from embedpipe.corpus.one_word import with_labelled_word
from embedpipe.corpus.raw_text import WordsBy, raw_sentence
from embedpipe.corpus.reading import Carried, read_files
from embedpipe.dataflow import ReadLog, Sentence
from embedpipe.errors import CorpusError

_FIELD_SIZE_LIMIT = 2**31 - 1  # the largest that every platform takes


@dataclass(frozen=True)
class Csv:
    """A comma-separated table, a sentence a row; a quoted field may hold line ends.

    :param path: A file, a pattern (``data/*.csv``), ``sample:NAME``, or several of them; gzip is recognised by itself.
    :param text: Column of the text, by its name in the header or its number from 0.
    :param labels: Columns of labels of the sentence, or a mapping from the label's name to its column; without a name, the
        label of column 3 is ``column_3``.
    :param id: Column of the sentence's id; without it ids are made up.
    :param document: Column of the document's id; without it each row is a document of its own.
    :param header: Whether the first row of each file names the columns.
    :param delimiter: One character.
    :param quoting: Whether a field may stand in double quotes; otherwise a quote is a character like any other.
    :param word_index: Column of the number, from 0, of the one word that ``word_labels`` are of, as in data of word senses;
        the words are then what white space separates in the text.
    :param word_labels: Columns of labels of that word, or a mapping, as for ``labels``; all other words have ``_``, and so has
        the word itself where the field is empty.
    :param second: Column of a second text, which the encoder sees with the first as a pair: premise and hypothesis, question
        and answer; left out, a row is one text.
    :param words_by: What decides where words are: the encoder's ``tokenizer``, every single one of the ``characters``, or
        ``white_space``.
    """

    path: str | tuple[str, ...]
    text: str | int = "text"
    labels: tuple[str | int, ...] | Mapping[str, str | int] = ()
    id: str | int | None = None
    document: str | int | None = None
    header: bool = True
    delimiter: str = ","
    quoting: bool = True
    word_index: str | int | None = None
    word_labels: tuple[str | int, ...] | Mapping[str, str | int] = ()
    second: str | int | None = None
    words_by: WordsBy = "tokenizer"

    def __post_init__(self) -> None:
        check_path(self.path)
        if len(self.delimiter) != 1 or self.delimiter in '\r\n"':
            raise ValueError(f"delimiter: got {self.delimiter!r}; must be one character, not a quote or a line end")
        for role, column in self._columns():
            if isinstance(column, str) and not self.header:
                raise ValueError(f"{role}: got {column!r}, but without a header columns go by number, from 0")
            if isinstance(column, int) and column < 0:
                raise ValueError(f"{role}: got {column}; columns are counted from 0")
        if (self.word_index is None) != (not self.word_labels):
            raise ValueError("word_index, word_labels: one says which word has labels, the other which; give both or none")
        if self.word_index is not None and (self.second is not None or self.words_by != "tokenizer"):
            field = "words_by" if self.second is None else "second"
            raise ValueError(f"{field}: does not go with word_index, whose words are those of one text, by white space")
        if both := self.label_columns.keys() & self.word_label_columns.keys():
            raise ValueError(f"word_labels: {min(both)!r} is a label of the sentence already; take another name")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in reading order."""
        return find_files(self.path)

    @property
    def label_columns(self) -> dict[str, str | int]:
        """Column of each label."""
        return _named(self.labels)

    @property
    def word_label_columns(self) -> dict[str, str | int]:
        """Column of each label of the one word."""
        return _named(self.word_labels)

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        """Yield a sentence a row.

        :raises CorpusError: If a file cannot be read, a column is not there, a row has more or fewer fields than the first, an
            id comes twice, a text has no word of the number given, or there is no row.
        """
        return read_files(self.files, log, lambda *file: _File(self, *file).sentences(), expected="a row")

    def _columns(self) -> Iterator[tuple[str, str | int]]:
        """The field that asks for a column, and the column."""
        yield "text", self.text
        for column in self.label_columns.values():
            yield "labels", column
        if self.id is not None:
            yield "id", self.id
        if self.document is not None:
            yield "document", self.document
        if self.second is not None:
            yield "second", self.second
        if self.word_index is not None:
            yield "word_index", self.word_index
        for column in self.word_label_columns.values():
            yield "word_labels", column


@dataclass(frozen=True)
class Tsv(Csv):
    """A tab-separated table, a sentence a row; a quote is a character like any other unless ``quoting`` is on.

    :param path: A file, a pattern (``data/*.tsv``), ``sample:NAME``, or several of them; gzip is recognised by itself.
    """

    delimiter: str = "\t"
    quoting: bool = False


class _File:
    """One table being read."""

    def __init__(self, reader: Csv, lines: LineReader, carried: Carried) -> None:
        self.reader, self.lines, self.carried, self.file = reader, lines, carried, lines.file

    def sentences(self) -> Iterator[Sentence]:
        """Read the file, or what is left of it when its first row has been read."""
        reader = self.reader
        rows = self._quoted_rows() if reader.quoting else self._plain_rows()
        is_started = bool(self.carried.first_row)
        line, names = (1, list(self.carried.first_row)) if is_started else next(rows, (1, []))
        if not names:
            return
        self.carried.first_row = tuple(names)
        place = {column: self._find(role, column, names, line) for role, column in reader._columns()}
        if not (reader.header or is_started):
            yield self._sentence(line, names, place)
        for line, row in rows:
            if len(row) != len(names):
                what = "the header" if reader.header else "the first row"
                message = f"the row that starts here has {counted(len(row), 'field')} where {what} has {len(names)}"
                raise CorpusError(self.file, line, f"{message}: {shown(reader.delimiter.join(row))}. {self._advice(len(row))}")
            yield self._sentence(line, row, place)

    def _quoted_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Rows with the line where each starts; a blank line is skipped."""
        csv.field_size_limit(_FIELD_SIZE_LIMIT)  # the module's only switch is a global one
        line = self.lines.number + 1
        try:
            for row in csv.reader(self.lines.with_ends(), delimiter=self.reader.delimiter, strict=True):
                if row:
                    yield line, row
                else:
                    self._skip(line)
                line = self.lines.number + 1
        except csv.Error as error:
            message = f"the row that starts here is not CSV ({error}, at line {self.lines.number})"
            advice = 'A quote in a quoted field is written twice (""); quoting: false makes quotes ordinary characters'
            raise CorpusError(self.file, line, f"{message}. {advice}") from None

    def _plain_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Rows with their lines; a blank line is a row only where the table has one column."""
        for line in self.lines:
            row = line.split(self.reader.delimiter)
            if line or len(self.carried.first_row or row) == 1:
                yield self.lines.number, row
            else:
                self._skip(self.lines.number)

    def _skip(self, line: int) -> None:
        self.lines.warn("blank-line", "a blank line, skipped", line)

    def _find(self, role: str, column: str | int, names: list[str], line: int) -> int:
        """The number of a column."""
        if isinstance(column, int):
            if column < len(names):
                return column
            raise CorpusError(self.file, line, f"there is no column {column} ({role}): the first row has {len(names)}, from 0")
        if names.count(column) == 1:
            return names.index(column)
        header = ", ".join(map(repr, names))
        if column in names:
            raise CorpusError(self.file, line, f"the header has {column!r} ({role}) more than once: {header}. Use its number")
        near = difflib.get_close_matches(column, names, 1)
        hint = f" Did you mean {near[0]!r}?" if near else " Set header: false if the file has none"
        raise CorpusError(self.file, line, f"the header has no column {column!r} ({role}): {header}.{hint}")

    def _advice(self, num_fields: int) -> str:
        if num_fields == 1:
            return "Set delimiter if another character separates the fields"
        return (
            "Put a field that holds the delimiter in quotes"
            if self.reader.quoting
            else "Set quoting: true if fields are quoted"
        )

    def _sentence(self, line: int, row: list[str], place: Mapping[str | int, int]) -> Sentence:
        """Make a sentence of a row."""
        reader = self.reader
        document = None if reader.document is None else row[place[reader.document]]
        given = None if reader.id is None else row[place[reader.id]]
        labels = {name: row[place[column]] for name, column in reader.label_columns.items()}
        id, document = self.carried.ids.take(document, given, self.file, line)
        sentence = raw_sentence(id, document, row[place[reader.text]], reader.words_by, labels=labels)
        if reader.second is not None:
            second = raw_sentence(id, document, row[place[reader.second]], reader.words_by)
            return Sentence.pair(sentence, second, labels=labels)
        if reader.word_index is None:
            return sentence
        try:
            of_word = {name: row[place[column]] for name, column in reader.word_label_columns.items()}
            return with_labelled_word(sentence, row[place[reader.word_index]], of_word)
        except ValueError as error:
            raise CorpusError(self.file, line, f"the field {reader.word_index!r} (word_index) {error}") from None


def _named(columns: tuple[str | int, ...] | Mapping[str, str | int]) -> dict[str, str | int]:
    """The column of each label; one without a name is named by its column."""
    if isinstance(columns, Mapping):
        return dict(columns)
    return {column if isinstance(column, str) else f"column_{column}": column for column in columns}
