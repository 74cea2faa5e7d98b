"""The rows of a CoNLL-U sentence: ten columns, and the three kinds of ids."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from embedpipe.corpus.files import counted, shown
from embedpipe.errors import CorpusError

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")

_ID = re.compile(r"(?a:(\d+)(?:-(\d+)|\.(\d+))?)")


class Row(NamedTuple):
    """One line of a sentence.

    :param line: Its number in the file.
    :param values: Its ten columns.
    :param first: The id, or the first id of a multiword token.
    :param last: The last id of a multiword token, otherwise ``first``.
    :param kind: ``word``, ``multiword`` or ``empty``.
    """

    line: int
    values: list[str]
    first: int
    last: int
    kind: str

    @property
    def form(self) -> str:
        """The word as it is written."""
        return self.values[1]

    @property
    def space_after(self) -> bool:
        """Whether white space follows."""
        misc = self.values[9]
        return "SpaceAfter=No" not in misc or "SpaceAfter=No" not in misc.split("|")


class Unit(NamedTuple):
    """A stretch of text without white space in it: a word, or a multiword token with its syntactic words.

    :param form: As it is written.
    :param rows: The syntactic words.
    """

    form: str
    space_after: bool
    rows: tuple[Row, ...]


def label_of(name: str) -> Callable[[Row], str]:
    """How a row is asked for a column, or for one entry of feats or misc: ``feats.Case``; ``_`` where there is none."""
    column, _, key = name.partition(".")
    index = COLUMNS.index(column)

    def entry(row: Row) -> str:
        entries = dict(entry.split("=", 1) for entry in row.values[index].split("|") if "=" in entry)
        return entries.get(key, "_")

    return entry if key else lambda row: row.values[index]


def parse_row(file: Path, line_number: int, line: str) -> Row:
    """Cut a line into its columns.

    :raises CorpusError: If there are not ten, the id is none, or the form is empty.
    """
    values = line.split("\t")
    if len(values) != 10:
        hint = " (the columns are to be separated by tabs)" if len(values) == 1 else ""
        raise CorpusError(file, line_number, f"has {counted(len(values), 'column')} where CoNLL-U has 10{hint}: {shown(line)}")
    id, form = values[:2]
    match = _ID.fullmatch(id)
    if match is None:
        raise CorpusError(file, line_number, f"the id is {shown(id)}; expected a number, 1-2 or 1.1: {shown(line)}")
    if not form:
        raise CorpusError(file, line_number, f"the form is empty; CoNLL-U writes _ for what is not there: {shown(line)}")
    first = int(match[1])
    kind = "multiword" if match[2] else "empty" if match[3] else "word"
    return Row(line_number, values, first, int(match[2]) if match[2] else first, kind)


def units_of(file: Path, rows: list[Row]) -> list[Unit]:
    """Group the rows of a sentence; empty nodes are left out.

    :raises CorpusError: If ids are out of order, or a multiword token does not fit the words.
    """
    units: list[Unit] = []
    token: Row | None = None
    parts: list[Row] = []
    last = 0
    for row in rows:
        if row.kind == "multiword":
            if token is not None or row.first != last + 1 or row.last <= row.first:
                _misfit(file, row, last, token)
            token = row
        elif row.kind == "word":
            if row.first != last + 1:
                raise CorpusError(file, row.line, f"the id is {row.first} where {last + 1} was expected: ids count up from 1")
            last = row.first
            parts.append(row)
            if token is None or token.last == last:
                written = token or row
                units.append(Unit(written.form, written.space_after, tuple(parts)))
                token, parts = None, []
    if token is not None:
        _misfit(file, token, last, None)
    return units


def _misfit(file: Path, row: Row, last: int, inside: Row | None) -> NoReturn:
    """Say how a multiword token does not fit."""
    why = f"it overlaps {inside.values[0]}" if inside else f"the last word before it or in it is {last}"
    raise CorpusError(
        file, row.line, f"the multiword token {row.values[0]} ({shown(row.form)}) does not fit its sentence: {why}"
    )
