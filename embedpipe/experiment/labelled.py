"""The labelled sentences of the three parts: the same ones for every encoder and context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedpipe.downstream.examples import Examples, read_examples
from embedpipe.downstream.metrics import is_bio
from embedpipe.downstream.selection import Selection
from embedpipe.errors import FeaturesError
from embedpipe.experiment.splits import Part, Pool

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.experiment.splits import Splits
    from embedpipe.experiment.tasks import Task
    from embedpipe.store import Store
    from embedpipe.store.reader import StoredLabel
    from embedpipe.store.sentence import StoredSentence

TagsOfSentences: TypeAlias = "list[list[str | None]]"
"""By sentence, a tag a row; ``None`` for a row without a label."""


@dataclass(frozen=True)
class Labelled:
    """What is trained on, chosen by and tested on.

    :param parts: ``train``, ``dev``, ``test``.
    :param gold: By part.
    :param tags: The labels of the training sentences, ``O`` first.
    :param notes: What a reader of the results should know of the data.
    """

    task: Task
    parts: Mapping[str, Part]
    gold: Mapping[str, TagsOfSentences]
    tags: tuple[str, ...]
    notes: tuple[str, ...]

    @cached_property
    def all_tags(self) -> tuple[str, ...]:
        """Those of training, then those that only the others have, sorted."""
        found = {tag for sentences in self.gold.values() for tag in chain(*sentences) if tag is not None}
        return (*self.tags, *sorted(found.difference(self.tags)))

    def examples(self, stores: Mapping[str, Store], view: str) -> dict[str, Examples]:
        """The three parts with the rows of a view; which combination of its layers is meant is still open.

        :param stores: Of one encoder and context, by corpus.
        """
        made = {}
        for name, part in self.parts.items():
            store = stores[part.corpus]
            selection = Selection(view, store.views[view], store.views[view].vector_size)
            examples = read_examples(store, selection, self.task.label, tags=self.tags, sentences=part.sentences)
            if (groups := self.task.groups(store)) is not None:
                rows = examples.rows_of(np.arange(len(examples.sentences)))
                examples = replace(examples, groups=groups[rows])
            made[name] = examples
        return made


def read_labelled(task: Task, splits: Splits, stores: Mapping[str, Store]) -> Labelled:
    """Find the labelled sentences and divide them.

    :param stores: Of one encoder and context, by corpus.
    :raises FeaturesError: If a part has none, or the labels are not what the task is about.
    """
    division = splits.divide({name: _pool(store, task) for name, store in stores.items()})
    gold = {
        name: gold_tags(stores[part.corpus], task.label, task.missing, part.sentences) for name, part in division.parts.items()
    }
    counts = Counter(tag for tag in chain(*gold["train"]) if tag is not None)
    tags = tuple(sorted(counts, key=lambda tag: (tag != "O", tag)))
    _check_tags(task, tags, gold)
    return Labelled(task, division.parts, gold, tags, (*division.notes, *_unseen(gold, tags)))


def require_same_sentences(task: Task, first: Mapping[str, Store], other: Mapping[str, Store]) -> None:
    """Check that two encoders' stores have the same sentences with the same labels.

    :raises FeaturesError: If they do not: one is of other files than the other.
    """
    for name, store in first.items():
        one, two = (_label(each, task) for each in (store, other[name]))
        if len(store) != len(other[name]) or one.vocabulary != two.vocabulary or not np.array_equal(one.codes, two.codes):
            raise FeaturesError(
                f"{store.source} and {other[name].source} do not have the same sentences and labels, though both are of the "
                f"corpus {name!r}. Its files have changed in between: remove both, and compare again."
            )


def read_part(store: Store, part: Part) -> Iterator[StoredSentence]:
    """The sentences of a part, in order; the store is read from front to back, which is faster than one by one."""
    chosen = set(part.sentences.tolist())
    return (sentence for sentence in store if sentence.index in chosen)


def gold_tags(store: Store, label: str, missing: str | None, sentences: IntArray) -> TagsOfSentences:
    """The labels of some sentences.

    :param missing: The value that stands for none.
    """
    found = store.label(label)
    names = [None if value == missing else value for value in found.vocabulary]
    values = np.array([*names, None], dtype=object)[found.codes]  # the code -1 of no label is the last
    offsets = store.offsets(found.unit).tolist()
    return [values[offsets[number] : offsets[number + 1]].tolist() for number in sentences.tolist()]


def _label(store: Store, task: Task) -> StoredLabel:
    found = store.label(task.label)
    if found.unit != task.unit:
        suited = [name for name in store.label_names if store.label(name).unit == task.unit]
        raise FeaturesError(
            f"task.label: {task.label!r} of {store.source} is one a {found.unit}, and the task {task.kind!r} is about labels "
            f"of {task.unit}s. It has: {', '.join(suited) or 'none'}."
        )
    return found


def _pool(store: Store, task: Task) -> Pool:
    """The sentences with at least one row that has a label."""
    found = _label(store, task)
    offsets = store.offsets(task.unit)
    is_label = np.array([*(value != task.missing for value in found.vocabulary), False])  # the code -1 of no label is the last
    num_labelled = np.concatenate([[0], np.cumsum(is_label[found.codes])])
    sentences = np.flatnonzero(num_labelled[offsets[1:]] > num_labelled[offsets[:-1]])
    frame = store.sentences_frame().iloc[sentences]
    columns = (frame[name].astype(object).tolist() for name in ("sentence_id", "document", "text"))
    return Pool(sentences, *columns)


def _check_tags(task: Task, tags: tuple[str, ...], gold: Mapping[str, TagsOfSentences]) -> None:
    if task.metric == "f1" and not is_bio(strays := {tag for sentences in gold.values() for tag in chain(*sentences)}):
        stray = next(tag for tag in sorted(strays - {None}, key=str) if not is_bio(["O", tag]))
        raise FeaturesError(
            f"task.label: {task.label!r} has the tag {stray!r}, and the task {task.kind!r} is about BIO tags (O, B-X, I-X). "
            "Name another label, or take the task 'word_labels'."
        )
    if len(tags) < 2:
        raise FeaturesError(
            f"task.label: every labelled {task.unit} of the training part is {tags[0]!r} in {task.label!r}; there is nothing "
            "to tell apart."
        )


def _unseen(gold: Mapping[str, TagsOfSentences], tags: tuple[str, ...]) -> list[str]:
    notes = []
    for part in ("dev", "test"):
        found = Counter(tag for tag in chain(*gold[part]) if tag is not None and tag not in tags)
        if found:
            shown = ", ".join(f"{tag} ({count:,})" for tag, count in found.most_common(5)) + (", ..." if len(found) > 5 else "")
            notes.append(f"Labels of {part} that training never has, and that count as wrong: {shown}.")
    return notes
