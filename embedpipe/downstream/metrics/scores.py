"""Scores of a whole test set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from embedpipe.downstream.metrics.counts import Tags, from_counts, require_same_shape, sentence_counts
from embedpipe.downstream.metrics.entities import entities, is_bio


def score_tags(gold: Sequence[Tags], predicted: Sequence[Tags], tags: Iterable[str] | None = None) -> dict[str, float]:
    """Score predicted labels; every score is 0 to 1, and 0 where there is nothing to divide by.

    For BIO tags:

    - ``f1``, ``precision``, ``recall``: of entities, right only if their words and type are; strict IOB2, an ``I-`` that
      goes on in nothing is no entity. Equal to seqeval's with ``mode="strict", scheme=IOB2``.
    - ``conlleval_f1``: the same, by the rules of the CoNLL shared tasks' script, to which such an ``I-`` starts an entity.
      The difference of the two says how much comes from illegal sequences of tags.
    - ``token_f1``: micro F1 of words without ``O``: a word counts as right if its tag is, and is not ``O``.
    - ``accuracy``: of words, ``O`` with the others. A word without a gold label is left out of this one, and is ``O`` to the
      others.

    For other labels, of rows that have a gold one:

    - ``accuracy``, ``macro_f1``: the plain mean of F1 over the labels that occur, in gold or predicted.

    :param tags: All tags of the label, which decide whether it is BIO; left out: those that occur.
    :raises FeaturesError: If gold and predicted do not have the same sentences and lengths.
    """
    require_same_shape(gold, predicted)
    if not is_bio(chain(*gold, *predicted) if tags is None else tags):
        by_label = per_type_of_rows(gold, predicted)
        macro_f1 = sum(scores["f1"] for scores in by_label.values()) / max(1, len(by_label))
        return {"accuracy": _score(gold, predicted, "accuracy"), "macro_f1": macro_f1}
    right, num_predicted, num_gold = sentence_counts(gold, predicted, "f1").sum(axis=0).tolist()
    scores = _precision_recall_f1(right, num_predicted, num_gold)
    return scores | {metric: _score(gold, predicted, metric) for metric in ("conlleval_f1", "token_f1", "accuracy")}


def per_type(gold: Sequence[Tags], predicted: Sequence[Tags], tags: Iterable[str] | None = None) -> dict[str, dict[str, float]]:
    """Score each entity type by itself; each label, where the tags are not BIO.

    :param tags: As for :func:`score_tags`.
    :returns: By type, sorted: ``precision``, ``recall``, ``f1`` and ``support``, how many there are in gold.
    :raises FeaturesError: If gold and predicted do not have the same sentences and lengths.
    """
    require_same_shape(gold, predicted)
    if not is_bio(chain(*gold, *predicted) if tags is None else tags):
        return per_type_of_rows(gold, predicted)
    num_right: Counter[str] = Counter()
    num_predicted: Counter[str] = Counter()
    num_gold: Counter[str] = Counter()
    for own, other in zip(map(entities, gold), map(entities, predicted), strict=True):
        num_right.update(kind for _, _, kind in own & other)
        num_predicted.update(kind for _, _, kind in other)
        num_gold.update(kind for _, _, kind in own)
    return _by_type(num_right, num_predicted, num_gold)


def per_type_of_rows(gold: Sequence[Tags], predicted: Sequence[Tags]) -> dict[str, dict[str, float]]:
    """Score each label by itself, over the rows that have a gold one."""
    pairs = [pair for pair in zip(chain(*gold), chain(*predicted), strict=True) if pair[0] is not None]
    num_predicted = Counter(other for _, other in pairs if other is not None)
    return _by_type(Counter(own for own, other in pairs if own == other), num_predicted, Counter(own for own, _ in pairs))


def _by_type(num_right: Counter[Any], num_predicted: Counter[Any], num_gold: Counter[Any]) -> dict[str, dict[str, float]]:
    return {
        kind: _precision_recall_f1(num_right[kind], num_predicted[kind], num_gold[kind]) | {"support": float(num_gold[kind])}
        for kind in sorted(num_predicted.keys() | num_gold.keys())
    }


def _precision_recall_f1(right: float, num_predicted: float, num_gold: float) -> dict[str, float]:
    return {
        "f1": 2 * right / max(1, num_predicted + num_gold),
        "precision": right / max(1, num_predicted),
        "recall": right / max(1, num_gold),
    }


def _score(gold: Sequence[Tags], predicted: Sequence[Tags], metric: str) -> float:
    return float(from_counts(sentence_counts(gold, predicted, metric).sum(axis=0)))
