"""The words that an ELMo has met. It has no list of words; it spells each one."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from embedpipe.dataflow import SpecialSubwords, Units
from embedpipe.encoders.elmo.spelling import BEGIN_SENTENCE, END_SENTENCE, is_cut, spell

_LARGEST_ID = 2**31 - 1


class SpelledWords:
    """Numbers words as they come, for the encoder to spell them; see :class:`embedpipe.dataflow.Vocabulary`.

    It grows by about 200 bytes with each different word: 200 MB for a million.

    :param max_characters: Of a word, its beginning and end counted as one each.
    """

    special = SpecialSubwords(prefix=(1,), suffix=(2,), pad_id=0, cls_index=None)

    def __init__(self, max_characters: int) -> None:
        self._max_characters = max_characters
        self._spellings = ["", BEGIN_SENTENCE, END_SENTENCE]
        self._numbers = {BEGIN_SENTENCE: 1, END_SENTENCE: 2}

    @property
    def description(self) -> Mapping[str, Any]:
        return {
            "class": "ELMo characters",
            "unit": "word",
            "max_bytes": self._max_characters - 2,
            "ids": "crc32 of the bytes that the encoder sees, without its highest bit",
            "cut_words": "those with more than max_bytes bytes of UTF-8 have the flag CUT",
        }

    def units(self, word: str) -> Units:
        """One unit; an empty word is spelled too. Its id is a checksum of its spelling, as it must be the same in every run."""
        spelling = spell(word, self._max_characters)
        number = self._numbers.setdefault(spelling, len(self._spellings))
        if number == len(self._spellings):
            self._spellings.append(spelling)
        id = zlib.crc32(spelling.encode("utf-16-le")) & _LARGEST_ID
        return Units((id,), (number,), cut=is_cut(word, self._max_characters))

    def spellings(self, numbers: Iterable[int]) -> list[str]:
        """The words of these numbers, spelled."""
        return [self._spellings[number] for number in numbers]
