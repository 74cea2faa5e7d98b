"""What is reached without vectors: the most frequent labels of the training part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from embedpipe.downstream.metrics import score_tags
from embedpipe.experiment.labelled import read_part
from embedpipe.experiment.results import Baseline

if TYPE_CHECKING:
    from embedpipe.experiment.labelled import Labelled, TagsOfSentences
    from embedpipe.store import Store

    Traits: TypeAlias = list[list[str]]
    """By sentence, for each row what its label is guessed by."""


def baselines(labelled: Labelled, stores: Mapping[str, Store]) -> tuple[Baseline, ...]:
    """Guess without vectors.

    :param stores: Of any encoder and context, by corpus.
    """
    traits: dict[str, dict[str, Traits]] = {}
    senses = _groups(labelled, stores)
    if labelled.task.metric == "accuracy" and senses is None:  # neither entities nor senses have one label for all
        traits["majority"] = {part: [[""] * len(tags) for tags in labelled.gold[part]] for part in ("train", "test")}
    if labelled.task.unit == "word":
        traits["most_frequent_of_word"] = {part: _words(labelled, stores, part) for part in ("train", "test")}
    if senses is not None:
        traits["most_frequent_sense"] = senses
    return tuple(Baseline(name, _guess(labelled, found["train"], found["test"])) for name, found in traits.items())


def _guess(labelled: Labelled, train: Traits, test: Traits) -> Mapping[str, float]:
    counts: dict[str, Counter[str]] = {}
    for trait, tag in zip(chain(*train), chain(*labelled.gold["train"]), strict=True):
        if tag is not None:
            counts.setdefault(trait, Counter())[tag] += 1
    fallback = most_frequent(list(counts.values()))
    guesses = {trait: most_frequent([counter]) for trait, counter in counts.items()}
    predicted: TagsOfSentences = [[guesses.get(trait, fallback) for trait in sentence] for sentence in test]
    return score_tags(labelled.gold["test"], predicted, labelled.all_tags)


def most_frequent(counters: Sequence[Counter[str]]) -> str:
    """The label that comes most often; of equals, the first in the alphabet."""
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return min(total, key=lambda tag: (-total[tag], tag))


def _words(labelled: Labelled, stores: Mapping[str, Store], part: str) -> Traits:
    place = labelled.parts[part]
    return [list(sentence.words) for sentence in read_part(stores[place.corpus], place)]


def _groups(labelled: Labelled, stores: Mapping[str, Store]) -> dict[str, Traits] | None:
    found: dict[str, Traits] = {}
    for part in ("train", "test"):
        place = labelled.parts[part]
        store = stores[place.corpus]
        if (groups := labelled.task.groups(store)) is None:
            return None
        offsets = store.offsets(labelled.task.unit)
        found[part] = [groups[offsets[number] : offsets[number + 1]].tolist() for number in place.sentences.tolist()]
    return found
