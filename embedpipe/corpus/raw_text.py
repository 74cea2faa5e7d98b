"""Sentences of raw text: what a word is, where nobody has marked the words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Literal, TypeAlias

from embedpipe.corpus.words import WORD
from embedpipe.dataflow import Labels, Sentence, Span

WordsBy: TypeAlias = Literal["tokenizer", "characters", "white_space"]
"""What decides where the words of raw text are: the encoder's tokenizer, every single character, or white space."""

_ZERO_WIDTH_JOINER = "\u200d"


def raw_sentence(id: str, document: str, text: str, words_by: WordsBy, *, labels: Labels | None = None) -> Sentence:
    """Make a sentence of raw text; it keeps its spacing, and its characters as they are."""
    if words_by == "tokenizer":
        return Sentence.from_text(id, document, text, labels=labels)
    find = character_spans if words_by == "characters" else white_space_spans
    return Sentence.from_text(id, document, text, spans=tuple(find(text)), labels=labels)


def white_space_spans(text: str) -> Iterator[Span]:
    """What stands between white space."""
    return (match.span() for match in WORD.finditer(text))


def character_spans(text: str) -> Iterator[Span]:
    """Characters as a person counts them, without white space.

    What shows on the character in front of it is part of that: combining marks, vowel signs, variation selectors, skin tones,
    the later letters of a decomposed Hangul syllable, format characters. So is what a zero-width joiner joins, as in an emoji
    of a family, and the second letter of a flag.
    """
    for word_start, word_end in white_space_spans(text):
        start = word_start
        num_flag_letters = 0
        for index in range(word_start, word_end):
            char = text[index]
            is_flag_letter = "\U0001f1e6" <= char <= "\U0001f1ff"
            joined = text[index - 1] == _ZERO_WIDTH_JOINER or (is_flag_letter and num_flag_letters % 2 == 1)
            num_flag_letters = num_flag_letters + 1 if is_flag_letter else 0
            if index > word_start and not (joined or _belongs_to_the_one_before(char)):
                yield start, index
                start = index
        yield start, word_end


@cache
def _belongs_to_the_one_before(char: str) -> bool:
    if unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf"):
        return True
    return "\u1160" <= char <= "\u11ff" or "\U0001f3fb" <= char <= "\U0001f3ff"  # Hangul vowels and finals; skin tones
