"""Words of text in which nobody has marked them, for encoders that look words up."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from embedpipe.dataflow import Span

_WORD = re.compile(r"Cm*|L[Lmj]*(?:'[Lmj]+)*|FF?m*|[O'm]m*(?:jOm*)*|j")
"""By the kinds of characters below: a character by itself; letters, with apostrophes within; a flag; any other sign."""

_CHARACTERS = (
    ("\u3005", "\u3007"),  # marks of repetition, zero
    ("\u3021", "\u3029"),  # numerals
    ("\u3041", "\u30ff"),  # hiragana, katakana
    ("\u31f0", "\u31ff"),
    ("\u3400", "\u4dbf"),  # Han
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\uff66", "\uff9f"),  # katakana of half width
    ("\U0001b000", "\U0001b16f"),  # kana
    ("\U00020000", "\U0003ffff"),  # Han
)


def find_words(text: str) -> Iterator[Span]:
    """Find runs of letters and digits, with apostrophes inside, and single other signs; white space is in none.

    A Han or Kana character is a word by itself, as those scripts have no spaces. Other scripts without them, such as Thai and
    Khmer, need a corpus whose words are marked: here a run of letters is one word. A combining mark or vowel sign belongs to
    the character in front of it, and so does what a zero-width joiner joins.
    """
    return (match.span() for match in _WORD.finditer(text.translate(_KINDS)))


class _Kinds(dict[int, str]):
    """The kind of each character, as it is asked for: one letter for one character, so that positions stay."""

    def __missing__(self, code: int) -> str:
        self[code] = kind = _kind(chr(code))
        return kind


def _kind(char: str) -> str:
    category = unicodedata.category(char)
    if char.isspace():
        return " "
    if char in "'\u2019":
        return "'"
    if char == "\u200d":
        return "j"
    if category[0] == "M" or char == "\u200c" or "\U0001f3fb" <= char <= "\U0001f3ff":
        return "m"  # shows on the character in front of it
    if "\U0001f1e6" <= char <= "\U0001f1ff":
        return "F"  # half of a flag
    if any(first <= char <= last for first, last in _CHARACTERS):
        return "C"
    return "L" if char.isalnum() or char == "_" else "O"


_KINDS = _Kinds()
