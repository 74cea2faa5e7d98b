"""Plain text files, a sentence a line: which lines make a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from embedpipe.corpus.files import read_files, read_lines
from embedpipe.corpus.ids import Ids, document_names
from embedpipe.dataflow import ReadLog, Sentence

DocumentUnit: TypeAlias = Literal["file", "line", "blank_line"]
"""What a document is: a file, a line, or the lines between two blank ones."""


def sentence_a_line(
    files: tuple[Path, ...], log: ReadLog, unit: DocumentUnit, make: Callable[[str, str, str], Sentence]
) -> Iterator[Sentence]:
    """Yield a sentence for each line, blank ones too; only where blank lines separate documents are they no sentences.

    :param make: Makes a sentence of its id, its document and the line.
    """
    ids = Ids()
    names = iter(document_names(files))

    def read(file: Path) -> Iterator[Sentence]:
        document: str | None = next(names) if unit == "file" else None
        for number, line in enumerate(read_lines(file, log), 1):
            if unit == "blank_line" and not line.strip():
                document = None
                continue
            if unit == "blank_line" and document is None:
                document = ids.unnamed_document()
            yield make(*ids.take(document, None, file, number), line)

    return read_files(files, log, read, expected="a line")
