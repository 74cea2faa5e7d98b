"""In what a sentence of a corpus and one of a store differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedpipe.dataflow import Sentence
    from embedpipe.store import StoredSentence

_SHOWN_CHARACTERS = 60


def difference(sentence: Sentence, stored: StoredSentence) -> str | None:
    """The first thing in which a sentence and the one in the store differ; words only where they are known already."""
    pairs: dict[str, tuple[Any, Any]] = {
        "the id": (sentence.id, stored.id),
        "the document": (sentence.document, stored.document),
    }
    if sentence.spans is not None:
        pairs["the number of words"] = (len(sentence.words), len(stored.words))
        pairs |= {f"word {index}": pair for index, pair in enumerate(zip(sentence.words, stored.words, strict=False))}
    pairs["the text"] = (sentence.text, stored.text)
    if sentence.spans is not None:
        pairs["the words' places"] = (sentence.spans, stored.spans)
    pairs["where the second text starts"] = (sentence.second_start, stored.second_start)
    return first_difference({**pairs, **_labels(sentence.labels, stored)})


def first_difference(pairs: Mapping[str, tuple[Any, Any]]) -> str | None:
    """The first pair whose two values, one of the corpus and one of the store, are not the same, in words."""
    for what, (found, expected) in pairs.items():
        if found != expected:
            return f"{what}: {_shown(found)} in the corpus, {_shown(expected)} in the store"
    return None


def _labels(labels: Mapping[str, Any], stored: StoredSentence) -> dict[str, tuple[Any, Any]]:
    """Pairs of labels; a label that none of the words has is no label."""
    pairs = {}
    for name in {**labels, **stored.labels}:
        found, expected = labels.get(name), stored.labels.get(name)
        if isinstance(expected, tuple) and found is None:
            found = (None,) * len(expected)
        pairs[f"label {name!r}"] = (found, expected)
    return pairs


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."
