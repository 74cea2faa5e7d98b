"""Naming sentences and documents, so that an id is unique in the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from embedpipe.errors import CorpusError

IdCounts: TypeAlias = tuple[Mapping[str, int], int, Mapping[str, int] | None]
"""Sentences of each document, documents without a name, and sentences of each document when the first id came with the data."""

MOST_DOCUMENTS = 10_000
"""Counts of more documents are not handed around."""


class Ids:
    """The ids handed out so far.

    A sentence that brings no id is ``<document>/<n>``, counted from 1 in its document; a document without a name is
    ``doc-<n>``. Generated ids cannot meet each other, so nothing but a count a document is kept until the first id comes
    with the data; from then on every id is.

    :param counts: Of ids that were handed out before, by another; they are counted on, but not remembered themselves.
    """

    def __init__(self, counts: IdCounts = ({}, 0, None)) -> None:
        num_sentences, self._num_unnamed, self._generated_before = counts
        self._num_sentences = dict(num_sentences)
        self._places: dict[str, tuple[Path, int]] = {}

    def counts(self) -> IdCounts | None:
        """What it takes to count on; ``None`` for more documents than are handed around."""
        if len(self._num_sentences) > MOST_DOCUMENTS:
            return None
        return dict(self._num_sentences), self._num_unnamed, self._generated_before

    def has_document(self, name: str) -> bool:
        """Whether a document of this name has sentences already."""
        return name in self._num_sentences

    def unnamed_document(self) -> str:
        """A name for a document that has none."""
        self._num_unnamed += 1
        while f"doc-{self._num_unnamed}" in self._num_sentences:
            self._num_unnamed += 1
        return f"doc-{self._num_unnamed}"

    def take(self, document: str | None, given: str | None, file: Path, line: int) -> tuple[str, str]:
        """Name a sentence.

        :param document: Name of its document; ``None`` makes the sentence a document of its own.
        :param given: The id that the data gives it, if any.
        :returns: The ids of the sentence and of its document.
        :raises CorpusError: If the id has been used.
        """
        if given is not None and self._generated_before is None:
            self._generated_before = dict(self._num_sentences)
        if document is None:
            document, number = self.unnamed_document(), 1
        else:
            number = self._num_sentences.get(document, 0) + 1
            self._num_sentences[document] = number
        id = f"{document}/{number}" if given is None else given
        if self._generated_before is not None:
            self._remember(id, file, line)
        return id, document

    def _remember(self, id: str, file: Path, line: int) -> None:
        """Keep an id, or refuse it."""
        document, _, number = id.rpartition("/")
        last = (self._generated_before or {}).get(document, 0)
        if number.isascii() and number.isdigit() and not number.startswith("0") and int(number) <= last:
            message = f"the id {id!r} was made up already for sentence {number} of the document {document!r}, which brings none"
            raise CorpusError(file, line, f"{message}; give every sentence an id of its own, or none")
        first = self._places.get(id)
        if first is not None:
            raise CorpusError(file, line, f"the id {id!r} is used twice, first at {first[0]}:{first[1]}; ids must be unique")
        self._places[id] = (file, line)


def document_names(files: Iterable[Path]) -> tuple[str, ...]:
    """A document id for each file: its name, without ``.gz``, and with a number where files share a name."""
    names: list[str] = []
    for file in files:
        name = unique = file.name.removesuffix(".gz")
        copy = 1
        while unique in names:
            copy += 1
            unique = f"{name}-{copy}"
        names.append(unique)
    return tuple(names)
