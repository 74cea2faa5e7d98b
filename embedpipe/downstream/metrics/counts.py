"""Counts by sentence, of which every score is made: what a bootstrap adds up again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedpipe.downstream.metrics.entities import Rule, entities
from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray

Tags: TypeAlias = Sequence["str | None"]
"""Of one sentence, a tag a row; ``None`` for a row without a label."""


def sentence_counts(gold: Sequence[Tags], predicted: Sequence[Tags], metric: str) -> FloatArray:
    """Count what is right, sentence by sentence.

    ======================= ===================================== ===============================================
    metric                  counted                               right
    ======================= ===================================== ===============================================
    ``"f1"``                entities, strict IOB2                 same words, same type
    ``"conlleval_f1"``      entities, as conlleval finds them     same words, same type
    ``"token_f1"``          words with another tag than ``O``     same tag, ``B-`` and ``I-`` told apart
    ``"accuracy"``          rows with a gold label                same label
    ======================= ===================================== ===============================================

    :returns: ``(right, predicted, gold)``, whole numbers. *Shape:* ``(num_sentences, 3)``.
    :raises FeaturesError: If there is no such metric, or gold and predicted do not belong together.
    """
    if (count := METRICS.get(metric)) is None:
        raise FeaturesError(f"metric: {metric!r} cannot be counted by sentence. Known: {', '.join(METRICS)}.")
    require_same_shape(gold, predicted)
    counted = [count(own, other) for own, other in zip(gold, predicted, strict=True)]
    return np.array(counted, dtype=np.float64).reshape(-1, 3)  # (num_sentences, 3)


def from_counts(counts: FloatArray) -> FloatArray:
    """Make scores of counts that were summed over sentences.

    :param counts: ``(right, predicted, gold)``. *Shape:* ``(..., 3)``.
    :returns: ``2 right / (predicted + gold)``, which is F1, and accuracy where both are the number of rows; 0 where there is
        nothing. *Shape:* ``(...)``.
    """
    right, num_predicted, num_gold = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    total = num_predicted + num_gold
    scores: FloatArray = np.divide(2 * right, total, out=np.zeros_like(total), where=total > 0)
    return scores


def require_same_shape(gold: Sequence[Tags], predicted: Sequence[Tags]) -> None:
    """Check that there is a predicted tag for each gold one.

    :raises FeaturesError: If there is not.
    """
    if len(gold) != len(predicted):
        raise FeaturesError(f"scoring: {len(gold)} sentences have gold tags, and {len(predicted)} predicted ones.")
    for index, (own, other) in enumerate(zip(gold, predicted, strict=True)):
        if len(own) != len(other):
            raise FeaturesError(f"scoring: sentence {index} has {len(own)} gold tags and {len(other)} predicted ones.")


def _count_entities(gold: Tags, predicted: Tags, rule: Rule) -> tuple[int, int, int]:
    own, other = entities(gold, rule), entities(predicted, rule)
    return len(own & other), len(other), len(own)


def _count_words(gold: Tags, predicted: Tags) -> tuple[int, int, int]:
    outside = ("O", None)
    right = sum(own == other and own not in outside for own, other in zip(gold, predicted, strict=True))
    return right, sum(other not in outside for other in predicted), sum(own not in outside for own in gold)


def _count_rows(gold: Tags, predicted: Tags) -> tuple[int, int, int]:
    with_label = [own == other for own, other in zip(gold, predicted, strict=True) if own is not None]
    return sum(with_label), len(with_label), len(with_label)


METRICS: Mapping[str, Callable[[Tags, Tags], tuple[int, int, int]]] = MappingProxyType(
    {
        "f1": partial(_count_entities, rule="strict"),
        "conlleval_f1": partial(_count_entities, rule="conlleval"),
        "token_f1": _count_words,
        "accuracy": _count_rows,
    }
)
"""What can be counted sentence by sentence. Macro F1 cannot: it is a mean over labels."""
