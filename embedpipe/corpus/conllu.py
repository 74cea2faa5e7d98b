"""CoNLL-U, the format of Universal Dependencies, with multiword tokens and original spacing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from embedpipe.corpus.conllu_rows import COLUMNS, Row, Unit, parse_row, units_of
from embedpipe.corpus.files import check_path, find_files, read_files, read_lines
from embedpipe.corpus.ids import Ids
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
        ids = Ids()
        return read_files(self.files, log, lambda file: _File(self, file, log, ids).sentences())


class _File:
    """One file being read: the document that is open, and the comments and rows of the sentence that is coming together."""

    def __init__(self, reader: Conllu, file: Path, log: ReadLog, ids: Ids) -> None:
        self.reader, self.file, self.log, self.ids = reader, file, log, ids
        self.document: str | None = None
        self.document_comments: dict[str, str] = {}
        self.comments: dict[str, str] = {}
        self.rows: list[Row] = []
        self.irregular = False

    def sentences(self) -> Iterator[Sentence]:
        """Read the file."""
        for number, line in enumerate(read_lines(self.file, self.log), 1):
            if not line or line.isspace():
                if line:
                    self._warn(number, "blank-separator", "a line of only white space, read as the end of a sentence")
                if self.rows:
                    yield self._sentence()
                self.comments, self.irregular = {}, False
            elif line.startswith("#"):
                self._comment(line, number)
            else:
                self.rows.append(parse_row(self.file, number, line))
        if self.rows:
            yield self._sentence()

    def _comment(self, line: str, number: int) -> None:
        """Take in a comment; ``# newdoc`` opens a document."""
        key, _, value = line[1:].partition("=")
        key, value = key.strip(), value.strip()
        self.comments[key] = value
        if key in ("newdoc", "newdoc id"):
            self.document = value or self.ids.unnamed_document()
            self.document_comments = self.comments
            if self.ids.has_document(self.document):
                self._warn(number, "document-again", "a document id that was used before; its sentences are counted on")

    def _sentence(self) -> Sentence:
        """Make the sentence of the rows, and start the next."""
        units = units_of(self.file, self.rows)
        self.document = self.document or self.ids.unnamed_document()
        first_line = self.rows[0].line
        id, document = self.ids.take(self.document, self.comments.get("sent_id"), self.file, first_line)
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
        for unit in units:
            forms = [unit.form] if self.reader.words == "surface" else [row.form for row in unit.rows]
            apart = "".join(forms) != unit.form  # du = de + le
            words += forms
            spaces += [apart] * (len(forms) - 1) + [unit.space_after]
        return words, spaces

    def _word_labels(self, name: str, units: list[Unit]) -> tuple[str, ...]:
        """One column of the words."""
        values = [[row.label(name) for row in unit.rows] for unit in units]
        if self.reader.words == "surface":
            return tuple("+".join(unit) for unit in values)
        return tuple(value for unit in values for value in unit)

    def _sentence_label(self, name: str, line: int) -> str:
        """The value of a comment, of the sentence or its document."""
        value = self.comments.get(name, self.document_comments.get(name))
        if value is None:
            message = f"neither the sentence nor its document has the comment '# {name} = ...'; its label is '_'"
            self._warn(line, f"no-{name}", message)
            return _MISSING
        return value

    def _warn(self, line: int, kind: str, message: str) -> None:
        self.irregular = True
        self.log.warn(kind, f"{self.file}:{line}", message)
