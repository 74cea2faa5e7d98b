"""Vectors as text: a line is a word and its numbers, one space between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedpipe.encoders.static.recognize import Layout, is_number

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.encoders.static.source import Source
    from embedpipe.errors import EncoderError

    Rows: TypeAlias = tuple[Sequence[bytes], npt.NDArray[np.float32]]
    """Words, as they are in the file, and their vectors, *shape* ``(num_words, vector_size)``."""


def read_text(source: Source, layout: Layout) -> Iterator[Rows]:
    """Read the formats ``word2vec_text`` and ``glove``, some thousand words at a time.

    :raises EncoderError: Names the line that has not a word and ``vector_size`` numbers.
    """
    reader = _Reader(source, layout.vector_size, may_have_spaces=layout.format == "glove")
    for lines in source.lines():
        if layout.num_words is not None and reader.line == 0:
            lines, reader.line = lines[1:], 1
        if rows := reader.read(lines):
            yield rows
    if layout.num_words not in (None, reader.num_words):
        raise source.damaged(
            f"has {reader.num_words:,} words, but its first line says {layout.num_words:,}; it is cut off or damaged"
        )


_HIGHEST = float(np.finfo(np.float32).max)


class _Reader:
    """Knows how far it is.

    :param may_have_spaces: Whether a word may: some of GloVe's do.
    """

    def __init__(self, source: Source, vector_size: int, *, may_have_spaces: bool) -> None:
        self._source = source
        self._vector_size = vector_size
        self._may_have_spaces = may_have_spaces
        self._blank_line: int | None = None
        self.line = 0
        self.num_words = 0

    def read(self, lines: Sequence[bytes]) -> Rows | None:
        first_line = self.line + 1
        pairs = [pair for line in lines if (pair := self._cut(line)) is not None]
        if not pairs:
            return None
        words, numbers = zip(*pairs, strict=True)
        self.num_words += len(words)
        return words, self._parse(numbers, first_line)

    def _cut(self, line: bytes) -> tuple[bytes, bytes] | None:
        """A word and its numbers; nothing of a blank line, which is for the end of the file only."""
        self.line += 1
        line = line.rstrip()
        if not line:
            self._blank_line = self._blank_line or self.line
            return None
        if self._blank_line:
            raise self._source.damaged("is blank, but more follows", line=self._blank_line)
        word, _, numbers = line.partition(b" ")
        if numbers.count(b" ") == self._vector_size - 1:
            return word, numbers
        fields = line.rsplit(b" ", self._vector_size)
        if len(fields) <= self._vector_size:
            raise self._wrong_count(len(fields) - 1)
        surplus = fields[0].split(b" ")[1:]
        if not self._may_have_spaces or any(is_number(field) for field in surplus):
            raise self._wrong_count(len(surplus) + self._vector_size)
        return fields[0], b" ".join(fields[1:])

    def _wrong_count(self, found: int) -> EncoderError:
        return self._source.damaged(
            f"a word and {found} numbers; expected {self._vector_size}, with one space between", line=self.line
        )

    def _parse(self, numbers: Sequence[bytes], first_line: int) -> npt.NDArray[np.float32]:
        try:
            rows = np.loadtxt(numbers, dtype=np.float32, comments=None, delimiter=" ", ndmin=2)
        except ValueError:
            raise self._not_a_number(numbers, first_line) from None
        if not np.isfinite(rows).all():
            raise self._not_a_number(numbers, first_line)
        return rows

    def _not_a_number(self, numbers: Sequence[bytes], first_line: int) -> EncoderError:
        for line, row in enumerate(numbers, first_line):
            for field in row.split(b" "):
                if not is_number(field) or not abs(float(field)) <= _HIGHEST:
                    shown = repr(field.decode("utf-8", "backslashreplace"))
                    return self._source.damaged(f"{shown} is not a number, or none that float32 holds", line=line)
        return self._source.damaged("a number on this or a later line cannot be read", line=first_line)
