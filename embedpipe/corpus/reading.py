"""The files of a corpus one after another, from the first or from a bookmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from embedpipe.corpus.files import unopened
from embedpipe.corpus.ids import Ids
from embedpipe.corpus.line_reader import LineReader
from embedpipe.dataflow import Bookmark, ReadLog, Sentence
from embedpipe.errors import CorpusError


@dataclass(slots=True)
class Carried:
    """What is carried from one sentence to the next, and so by a bookmark.

    A reader keeps everything here that outlives a sentence, but for what it can tell from the head of a file again.

    :param ids: Those handed out so far.
    :param fields: What the corpus's first object has decided for the settings of :class:`~embedpipe.corpus.jsonl.Jsonl`.
    :param document: The document that is open. This and what follows is of one file.
    :param comments: Comments of the document, in CoNLL-U.
    :param first_row: Of a table.
    """

    ids: Ids = field(default_factory=Ids)
    fields: Mapping[str, Any] = field(default_factory=dict)
    document: str | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    first_row: tuple[str, ...] = ()

    @classmethod
    def over(cls, begin: Bookmark | None) -> Carried:
        """What a bookmark carries."""
        if begin is None:
            return cls()
        counts, *others = begin.state
        return cls(Ids(counts), *others)

    def state(self) -> tuple[Any, ...] | None:
        """The same in plain values; ``None`` if they are too many."""
        counts = self.ids.counts()
        return None if counts is None else (counts, self.fields, self.document, self.comments, self.first_row)

    def in_next_file(self) -> Carried:
        """What is carried from file to file."""
        return Carried(self.ids, self.fields)


Read = Callable[[LineReader, Carried], Iterator[Sentence]]
"""Reads the sentences of one file. Before it yields one, it has carried over what belongs to the next."""


def read_files(files: tuple[Path, ...], log: ReadLog, read: Read, *, expected: str = "a sentence") -> Iterator[Sentence]:
    """Chain the sentences of the files, and refuse a corpus that has none.

    :param log: Says where to begin, and is asked for bookmarks.
    :param expected: What a file must hold at least, for the message.
    """
    starts = [0, *accumulate(map(_size_bytes, files))]
    begin, carried = log.begin, Carried.over(log.begin)
    if begin is not None and begin.file_index >= len(files):
        found = f"is the last of {len(files)}, where reading was to go on in file {begin.file_index + 1}"
        raise CorpusError(files[-1], None, f"{found}: files of the corpus have gone in the meantime. Start again")
    log.size_bytes = starts[-1]
    corpus_has_sentences = False
    for index in range(0 if begin is None else begin.file_index, len(files)):
        file_has_sentences = begin is not None  # one is in front of every bookmark
        lines = LineReader(files[index], log, index=index, bytes_before=starts[index], begin=begin)
        log.position_bytes = lines.bytes_before + lines.offset
        log.mark = partial(_bookmark, lines, carried)
        for sentence in read(lines, carried):
            file_has_sentences = True
            yield sentence
        if not file_has_sentences and len(files) > 1:
            log.warn(kind="empty-file", place=str(files[index]), message="the file holds no sentences")
        corpus_has_sentences |= file_has_sentences
        begin, carried = None, carried.in_next_file()
    log.position_bytes = log.size_bytes
    log.mark = None
    if not corpus_has_sentences:
        named = "the file" if len(files) == 1 else f"this and the other {len(files) - 1} files of the corpus"
        raise CorpusError(files[0], None, f"holds no sentences: {named} ended without {expected}")


def _bookmark(lines: LineReader, carried: Carried) -> Bookmark | None:
    """The place of the next line, if one can begin there."""
    state = None if lines.is_packed else carried.state()
    if state is None:
        return None
    offset = lines.offset
    return Bookmark(lines.index, offset, lines.number, lines.bytes_before + offset, state)


def _size_bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise unopened(file, error) from None
