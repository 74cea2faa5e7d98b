"""Test sentences on which the choices disagree: what a person looks at to see what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.experiment.evaluation import Entry, best_of_fields
from embedpipe.experiment.results import Disagreement

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.experiment.features import Stores
    from embedpipe.experiment.labelled import Labelled
    from embedpipe.store import Store

MOST = 30
"""How many there are at most, over all encoders, contexts and heads."""

_LONG = 40
"""Words of a sentence that is as good to show as an empty one on which half as many choices disagree."""


def disagreements(entries: Sequence[Entry], labelled: Labelled, stores: Stores) -> tuple[Disagreement, ...]:
    """Choose sentences that the best choice gets right and others wrong, and the other way round, in turn; short ones first."""
    best = best_of_fields(entries)
    each = max(1, MOST // max(1, len(best)))
    found: list[Disagreement] = []
    for leader in best.values():
        members = [entry for entry in entries if entry.group == leader.group]
        codes = np.stack([entry.records[0].predicted for entry in members])  # (num_choices, num_rows)
        for sentence in _choose(codes, members.index(leader), labelled)[:each]:
            found.append(_disagreement(sentence, members, codes, labelled, stores[leader.encoder, leader.context]))
    return tuple(found[:MOST])


def _choose(codes: IntArray, leader: int, labelled: Labelled) -> list[int]:
    """Sentences on which choices differ from the leader in being right, the best to show first."""
    gold = labelled.gold["test"]
    lengths = np.array([len(tags) for tags in gold])
    starts = np.cumsum(lengths) - lengths
    wrong_rows = (codes != _gold_codes(labelled)) & np.array([tag is not None for tag in chain(*gold)])
    wrong = np.logical_or.reduceat(wrong_rows, starts, axis=1)  # (num_choices, num_sentences)
    others = (wrong != wrong[leader]).mean(axis=0)
    rank = others / (1 + lengths / _LONG)
    order = [number for number in np.argsort(-rank, kind="stable").tolist() if others[number] > 0]
    leads = [number for number in order if not wrong[leader, number]]
    trails = [number for number in order if wrong[leader, number]]
    return [number for pair in zip_longest(leads, trails) for number in pair if number is not None]


def _gold_codes(labelled: Labelled) -> IntArray:
    """A label that training never has gets a code that no prediction has."""
    code_of = {tag: code for code, tag in enumerate(labelled.all_tags)}
    return np.array([-2 if tag is None else code_of[tag] for tag in chain(*labelled.gold["test"])])


def _disagreement(
    sentence: int, members: Sequence[Entry], codes: IntArray, labelled: Labelled, stores: Mapping[str, Store]
) -> Disagreement:
    gold = labelled.gold["test"]
    start = sum(len(tags) for tags in gold[:sentence])
    part, outside = labelled.parts["test"], "O" if labelled.task.metric == "f1" else ""
    stored = stores[part.corpus][int(part.sentences[sentence])]
    tags = gold[sentence]
    names = [*labelled.tags, outside]  # NO_CODE is the last

    def shown(predicted: list[int]) -> tuple[str, ...]:
        return tuple(outside if own is None else names[code] for own, code in zip(tags, predicted, strict=True))

    return Disagreement(
        members[0].encoder,
        members[0].context,
        members[0].head,
        stored.id,
        stored.words if labelled.task.unit == "word" else (stored.text,),
        tuple(outside if tag is None else tag for tag in tags),
        {
            entry.choice: shown(predicted)
            for entry, predicted in zip(members, codes[:, start : start + len(tags)].tolist(), strict=True)
        },
        members[0].pooling,
    )
