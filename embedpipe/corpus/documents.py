"""Plain text files, a sentence a line: which lines make a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from embedpipe.corpus.ids import document_names
from embedpipe.corpus.line_reader import LineReader
from embedpipe.corpus.reading import Carried, read_files
from embedpipe.dataflow import ReadLog, Sentence

DocumentUnit: TypeAlias = Literal["file", "line", "blank_line"]
"""What a document is: a file, a line, or the lines between two blank ones."""


def sentence_a_line(
    files: tuple[Path, ...], log: ReadLog, unit: DocumentUnit, make: Callable[[str, str, str], Sentence]
) -> Iterator[Sentence]:
    """Yield a sentence for each line, blank ones too; only where blank lines separate documents are they no sentences.

    :param make: Makes a sentence of its id, its document and the line.
    """
    names = document_names(files)

    def read(lines: LineReader, carried: Carried) -> Iterator[Sentence]:
        if unit == "file":
            carried.document = names[lines.index]
        for line in lines:
            if unit == "blank_line" and not line.strip():
                carried.document = None
                continue
            if unit == "blank_line" and carried.document is None:
                carried.document = carried.ids.unnamed_document()
            yield make(*carried.ids.take(carried.document, None, lines.file, lines.number), line)

    return read_files(files, log, read, expected="a line")
