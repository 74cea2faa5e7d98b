"""Tables whose row is a sentence with one word that has labels, as data of word senses are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from embedpipe.corpus.files import counted, shown
from embedpipe.corpus.words import WORD
from embedpipe.dataflow import Sentence

NO_LABEL = "_"
"""What all other words have."""


def with_labelled_word(sentence: Sentence, given: str, labels: Mapping[str, str]) -> Sentence:
    """Find the words of a sentence, and give labels to one of them.

    :param sentence: Of raw text; its words have white space between them, and its spacing stays.
    :param given: What the row has for the word's number, from 0.
    :param labels: Of that word; an empty one is no label.
    :raises ValueError: If this is no number, or there is no such word; says which.
    """
    spans = tuple(match.span() for match in WORD.finditer(sentence.text))
    if not (given.isascii() and given.isdigit()):
        raise ValueError(f"is {shown(given)}; it must be a whole number, 0 for the first word")
    index = int(given)
    if index >= len(spans):
        found = f"is {index}, but the text has {counted(len(spans), 'word')}, counted from 0: {shown(sentence.text)}"
        raise ValueError(f"{found}. Words are what white space separates")
    of_words = {
        name: tuple((label or NO_LABEL) if number == index else NO_LABEL for number in range(len(spans)))
        for name, label in labels.items()
    }
    return replace(sentence, spans=spans, labels={**sentence.labels, **of_words})
