"""New text to sentences: the ``X`` of :class:`~embedpipe.downstream.TextFeatures`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from embedpipe.dataflow import Sentence
from embedpipe.errors import FeaturesError

_EXPECTED = "a list of texts (strings), or of texts as lists of words, or of pairs of texts"
_WHICH = ("first", "second")


def to_sentences(X: Any, takes_pairs: Callable[[], bool]) -> list[Sentence]:
    """Take each text, or pair of texts, for a sentence in a document of its own.

    :param X: Strings, or lists or tuples of words or of two texts, in any one-dimensional container; or two columns of texts.
    :param takes_pairs: Whether lists and tuples are pairs of texts and not words; asked where there are any.
    :raises FeaturesError: Names the first item that is neither.
    """
    if isinstance(X, str | bytes):
        raise FeaturesError(f"expected {_EXPECTED}; found one string ({X!r:.60}). Put it into a list.")
    if _has_two_columns(X):
        return [_to_pair(index, row) for index, row in enumerate(_rows(X))]
    if getattr(X, "ndim", 1) != 1 or hasattr(X, "toarray"):
        what = f"{'sparse ' if hasattr(X, 'toarray') else ''}{type(X).__name__} of shape {X.shape}"
        raise FeaturesError(f"expected {_EXPECTED}; found {what}. Give one column, such as frame['text'], or two for pairs.")
    if not isinstance(X, Iterable) or isinstance(X, dict | set | frozenset):
        raise FeaturesError(f"expected {_EXPECTED}; found {type(X).__name__}.")
    texts = list(X)
    are_pairs = any(isinstance(text, list | tuple) for text in texts) and takes_pairs()
    return [_to_pair(index, text) if are_pairs else _to_sentence(index, text) for index, text in enumerate(texts)]


def _has_two_columns(X: Any) -> bool:
    return getattr(X, "ndim", 1) == 2 and not hasattr(X, "toarray") and X.shape[1] == 2


def _rows(X: Any) -> Iterable[Any]:
    """The rows of two columns: of a frame, in the order of its columns."""
    return (tuple(row) for row in (X.itertuples(index=False, name=None) if hasattr(X, "itertuples") else X))


def _to_pair(index: int, pair: Any) -> Sentence:
    where = f"text {index}"
    if not isinstance(pair, list | tuple):
        raise FeaturesError(f"{where}: expected a pair of texts like the others, found {pair!r:.60} ({type(pair).__name__}).")
    if len(pair) != 2:
        raise FeaturesError(f"{where}: expected a pair of texts, found {len(pair)}: {pair!r:.60}. For words, say pairs=False.")
    first, second = (
        _to_sentence(index, text, f"{where}, {which} of the pair") for text, which in zip(pair, _WHICH, strict=True)
    )
    if (first.spans is None) != (second.spans is None):
        raise FeaturesError(f"{where}: of the pair, one text is a string and one a list of words; give two of a kind.")
    return Sentence.pair(first, second)


def _to_sentence(index: int, text: Any, where: str = "") -> Sentence:
    id, where = str(index), where or f"text {index}"
    if isinstance(text, str):
        return Sentence.from_text(id, id, str(text))
    if not isinstance(text, list | tuple):
        raise FeaturesError(f"{where}: expected a string or a list of words, found {text!r:.60} ({type(text).__name__}).")
    for position, word in enumerate(text):
        if not isinstance(word, str):
            raise FeaturesError(f"{where}: word {position} is {word!r:.60} ({type(word).__name__}), expected a string.")
    return Sentence.from_words(id, id, [str(word) for word in text])
