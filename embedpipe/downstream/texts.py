"""New text to sentences: the ``X`` of :class:`~embedpipe.downstream.TextFeatures`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from embedpipe.dataflow import Sentence
from embedpipe.errors import FeaturesError

_EXPECTED = "a list of texts (strings), or of texts as lists of words"


def to_sentences(X: Any) -> list[Sentence]:
    """Take each text for a sentence in a document of its own.

    :param X: Strings, or lists or tuples of words, in any one-dimensional container.
    :raises FeaturesError: Names the first item that is neither.
    """
    if isinstance(X, str | bytes):
        raise FeaturesError(f"expected {_EXPECTED}; found one string ({X!r:.60}). Put it into a list.")
    if getattr(X, "ndim", 1) != 1 or hasattr(X, "toarray"):
        what = f"{'sparse ' if hasattr(X, 'toarray') else ''}{type(X).__name__} of shape {X.shape}"
        raise FeaturesError(f"expected {_EXPECTED}; found {what}. Give one column, such as frame['text'].")
    if not isinstance(X, Iterable) or isinstance(X, dict | set | frozenset):
        raise FeaturesError(f"expected {_EXPECTED}; found {type(X).__name__}.")
    return [_to_sentence(index, text) for index, text in enumerate(X)]


def _to_sentence(index: int, text: Any) -> Sentence:
    id = str(index)
    if isinstance(text, str):
        return Sentence.from_text(id, id, str(text))
    if not isinstance(text, list | tuple):
        raise FeaturesError(f"text {index}: expected a string or a list of words, found {text!r:.60} ({type(text).__name__}).")
    for position, word in enumerate(text):
        if not isinstance(word, str):
            raise FeaturesError(f"text {index}: word {position} is {word!r:.60} ({type(word).__name__}), expected a string.")
    return Sentence.from_words(id, id, [str(word) for word in text])
