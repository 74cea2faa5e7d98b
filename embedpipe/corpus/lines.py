"""Raw text, a sentence a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embedpipe.corpus.documents import DocumentUnit, sentence_a_line
from embedpipe.corpus.files import check_path, find_files
from embedpipe.corpus.raw_text import WordsBy, raw_sentence
from embedpipe.dataflow import ReadLog, Sentence


@dataclass(frozen=True)
class Lines:
    """Raw text, a sentence a line; the encoder's tokenizer decides what a word is, or ``words_by``.

    The text is kept as it is, white space around it included. A blank line is a sentence without words and keeps its row,
    unless blank lines separate documents.

    :param path: A file, a pattern (``data/*.txt``), ``sample:NAME``, or several of them; gzip is recognised by itself.
    :param document: What a document is: a ``file`` (its id is the file's name), a ``line``, or the lines between two blank ones
        (``blank_line``; blank lines are no sentences then).
    :param words_by: What decides where words are: the encoder's ``tokenizer``, every single one of the ``characters`` (for
        Chinese, say), or ``white_space``.
    """

    path: str | tuple[str, ...]
    document: DocumentUnit = "file"
    words_by: WordsBy = "tokenizer"

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
        return sentence_a_line(self.files, log, self.document, self._sentence)

    def _sentence(self, id: str, document: str, line: str) -> Sentence:
        return raw_sentence(id, document, line, self.words_by)
