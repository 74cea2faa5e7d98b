"""CoNLL-U, the format of Universal Dependencies, with multiword tokens and original spacing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from embedpipe.corpus.conllu_rows import COLUMNS, Row, Unit, label_of, parse_row, units_of
from embedpipe.corpus.files import check_path, find_files
from embedpipe.corpus.line_reader import LineReader
from embedpipe.corpus.reading import Carried, read_files
from embedpipe.dataflow import ReadLog, Sentence, SentenceFlag

_LABEL_COLUMNS = COLUMNS[2:]
_MISSING = "_"


@dataclass(frozen=True)
class Conllu:
    """Sentences in CoNLL-U, with the spacing of the original text.

    Documents are those of ``# newdoc``, ids those of ``# sent_id``. Empty nodes (``8.1``) are skipped. A document id that
    comes again goes on with that document, and is recorded as a warning.

    :param path: A file, a pattern (``data/*.conllu``), ``sample:NAME``, or several of them; gzip is recognised by itself.
    :param labels: Of each word: ``lemma``, ``upos``, ``xpos``, ``feats``, ``head``, ``deprel``, ``deps``, ``misc``, or one
        entry of feats or misc as ``feats.Case``, ``misc.NER``; ``_`` where there is none.
    :param sentence_labels: Names of comments (``topic`` for ``# topic = sport``), of the sentence or else of the sentence that
        opened the document; ``_`` and a warning where neither has it.
    :param words: What a word is where they differ (du = de + le): the ``syntactic`` words, or the ``surface`` form, whose
        labels are those of its syntactic words joined with ``+``.
    """

    path: str | tuple[str, ...]
    labels: tuple[str, ...] = ("upos",)
    sentence_labels: tuple[str, ...] = ()
    words: Literal["syntactic", "surface"] = "syntactic"

    def __post_init__(self) -> None:
        check_path(self.path)
        for name in self.labels:
            column, dot, key = name.partition(".")
            if name not in _LABEL_COLUMNS and not (dot and key and column in ("feats", "misc")):
                near = difflib.get_close_matches(name, _LABEL_COLUMNS, 1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                known = ", ".join(_LABEL_COLUMNS)
                raise ValueError(f"labels: {name!r} is not a column of CoNLL-U.{hint} Known: {known}, feats.NAME, misc.NAME")
        if both := sorted(set(self.labels) & set(self.sentence_labels)):
            raise ValueError(f"sentence_labels: {both[0]!r} is a label of the words already")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in reading order."""
        return find_files(self.path)

    def sentences(self, log: ReadLog) -> Iterator[Sentence]:
        """Yield the sentences.

        :raises CorpusError: If a file cannot be read or is not CoNLL-U, an id comes twice, or there is no sentence.
        """
        return read_files(self.files, log, lambda *file: _File(self, *file).sentences())


class _File:
    """One file being read: the comments and rows of the sentence that is coming together."""

    def __init__(self, reader: Conllu, lines: LineReader, carried: Carried) -> None:
        self.reader, self.lines, self.carried, self.file = reader, lines, carried, lines.file
        self.comments: dict[str, str] = {}
        self.rows: list[Row] = []
        self.irregular = False

    def sentences(self) -> Iterator[Sentence]:
        """Read the file."""
        for line in self.lines:
            if not line or line.isspace():
                if line:
                    self._warn("blank-separator", "a line of only white space, read as the end of a sentence")
                if self.rows:
                    yield self._sentence()
                self.comments, self.irregular = {}, False
            elif line.startswith("#"):
                self._comment(line)
            else:
                self.rows.append(parse_row(self.file, self.lines.number, line))
        if self.rows:
            yield self._sentence()

    def _comment(self, line: str) -> None:
        """Take in a comment; ``# newdoc`` opens a document."""
        key, _, value = line[1:].partition("=")
        key, value = key.strip(), value.strip()
        self.comments[key] = value
        if key in ("newdoc", "newdoc id"):
            self.carried.document = value or self.carried.ids.unnamed_document()
            self.carried.comments = self.comments
            if self.carried.ids.has_document(self.carried.document):
                self._warn("document-again", "a document id that was used before; its sentences are counted on")

    def _sentence(self) -> Sentence:
        """Make the sentence of the rows, and start the next."""
        units = units_of(self.file, self.rows)
        carried = self.carried
        carried.document = carried.document or carried.ids.unnamed_document()
        first_line = self.rows[0].line
        id, document = carried.ids.take(carried.document, self.comments.get("sent_id"), self.file, first_line)
        labels: dict[str, str | tuple[str, ...]] = {name: self._word_labels(name, units) for name in self.reader.labels}
        for name in self.reader.sentence_labels:
            labels[name] = self._sentence_label(name, first_line)
        words, spaces = self._words(units)
        sentence = Sentence.from_words(id, document, words, spaces=spaces, labels=labels)
        if self.irregular:
            sentence = replace(sentence, flags=sentence.flags | SentenceFlag.SOURCE_WARNING)
        self.comments, self.rows, self.irregular = {}, [], False
        return sentence

    def _words(self, units: list[Unit]) -> tuple[list[str], list[bool]]:
        """The words, and whether white space follows each."""
        words: list[str] = []
        spaces: list[bool] = []
        for form, space_after, rows in units:
            if len(rows) > 1 and self.reader.words == "syntactic":
                forms = [row.form for row in rows]
                apart = "".join(forms) != form  # du = de + le
                words += forms
                spaces += [apart] * (len(forms) - 1) + [space_after]
            else:
                words.append(form)
                spaces.append(space_after)
        return words, spaces

    def _word_labels(self, name: str, units: list[Unit]) -> tuple[str, ...]:
        """One column of the words."""
        value = label_of(name)
        if self.reader.words == "surface":
            return tuple("+".join(map(value, unit.rows)) for unit in units)
        return tuple(value(row) for unit in units for row in unit.rows)

    def _sentence_label(self, name: str, line: int) -> str:
        """The value of a comment, of the sentence or its document."""
        value = self.comments.get(name, self.carried.comments.get(name))
        if value is None:
            message = f"neither the sentence nor its document has the comment '# {name} = ...'; its label is '_'"
            self._warn(f"no-{name}", message, line)
            return _MISSING
        return value

    def _warn(self, kind: str, message: str, line: int | None = None) -> None:
        self.irregular = True
        self.lines.warn(kind, message, line)
