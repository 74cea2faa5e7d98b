"""Which row of a table a word has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from embedpipe.dataflow import SpecialSubwords, Units

if TYPE_CHECKING:
    from embedpipe.encoders.static.table import Table
    from embedpipe.encoders.static.unknown import UnknownWords

Case: TypeAlias = Literal["as_is", "lower", "fall_back"]

_REMEMBERED = 2**17


class StaticVocabulary:
    """The words of a file of vectors; see :class:`embedpipe.dataflow.Vocabulary`.

    The store keeps the word's place in the file, from 0; for a word that is not there, the number of words in it. The encoder
    takes the same, or for such a word this plus the number that ``unknown`` gives it. A word whose vector in the file is zero
    is flagged, too.
    """

    special = SpecialSubwords((), (), 0, None)

    def __init__(self, table: Table, case: Case, unknown: UnknownWords) -> None:
        self._table = table
        self._case = case
        self._unknown = unknown
        self.units = lru_cache(_REMEMBERED)(self._units)

    @property
    def description(self) -> Mapping[str, Any]:
        contents = self._table.contents
        return {
            "class": type(self).__name__,
            "num_words": self._table.num_words,
            "num_duplicates": contents["num_duplicates"],
            "num_not_utf8": contents["num_not_utf8"],
            "case": self._case,
        }

    def _units(self, word: str) -> Units:
        if not word:
            return Units((), ())
        for form in dict.fromkeys(_forms(word, self._case)):
            if (row := self._table.find(_utf8(form))) is not None:
                return Units((row,), (row,), unknown=not self._table.rows[row].any())
        form = word.lower() if self._case == "lower" else word
        num_words = self._table.num_words
        return Units((num_words,), (num_words + self._unknown.number(_utf8(form)),), unknown=True)


def _forms(word: str, case: Case) -> Iterator[str]:
    """What a word is looked up as, one after the other."""
    if case != "lower":
        yield word
    if case != "as_is":
        yield word.lower()
    if case == "fall_back":
        yield word[:1].upper() + word[1:].lower()
        yield word.upper()


def _utf8(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")
