"""The labels of sentences as codes, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from embedpipe.downstream.examples import NO_CODE
from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray, Sentence
    from embedpipe.downstream.fine_tuning.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Targets:
    """What is to be predicted.

    :param tags: The label that each code stands for.
    :param codes: By sentence; ``NO_CODE`` for a row whose label is none of the tags. *Shape of each:* ``(num_rows,)``.
    """

    tags: tuple[str, ...]
    codes: tuple[IntArray, ...]

    @property
    def fallback(self) -> str:
        """The tag of what the encoder sees nothing of: ``O``, or the most frequent one where there is no ``O``."""
        counts = np.bincount(np.concatenate(self.codes) + 1, minlength=len(self.tags) + 1)[1:]
        return "O" if "O" in self.tags else self.tags[int(counts.argmax())]


def read_targets(
    inputs: Inputs, label: str, unit: Literal["word", "sentence"], tags: Sequence[str] | None, *, purpose: str
) -> Targets:
    """Look a label up in every sentence.

    :param tags: The known ones; left out: all that there are, sorted, ``O`` first.
    :param purpose: Of the sentences, for messages: ``"training"``.
    :raises FeaturesError: If no sentence has the label, or one has it for the other unit or not for every word.
    """
    rows = [
        _labels_of(sentence, label, unit, num_rows)
        for sentence, num_rows in zip(inputs.sentences, inputs.num_rows, strict=True)
    ]
    found = Counter(value for values in rows for value in values if value is not None)
    known = tuple(tags) if tags is not None else tuple(sorted(found, key=lambda tag: (tag != "O", tag)))
    if not found.keys() & set(known):
        raise FeaturesError(_nothing_found(inputs, label, found, known, purpose))
    code_of: dict[str | None, int] = {tag: code for code, tag in enumerate(known)}
    codes = tuple(np.array([code_of.get(value, NO_CODE) for value in values], np.int64) for values in rows)
    return Targets(known, codes)


def require_two_tags(targets: Targets, label: str) -> None:
    """Refuse to learn what never differs.

    :raises FeaturesError: If there is only one tag.
    """
    used = np.unique(np.concatenate(targets.codes))
    used = used[used != NO_CODE]
    if len(used) == 1:
        raise FeaturesError(
            f"fine-tuning for {label!r}: every labelled row of the training sentences is {targets.tags[used[0]]!r}; expected "
            "two labels at least, to be told apart."
        )


def _labels_of(sentence: Sentence, label: str, unit: str, num_rows: int) -> Sequence[str | None]:
    value = sentence.labels.get(label)
    if value is None:
        return [None] * num_rows
    found = "sentence" if isinstance(value, str) else "word"
    if found != unit:
        raise FeaturesError(
            f"fine-tuning: the label {label!r} of sentence {sentence.id!r} is one a {found}; expected one a {unit}."
        )
    if isinstance(value, str):
        return [value]
    if len(value) != num_rows:
        raise FeaturesError(
            f"fine-tuning: sentence {sentence.id!r} has {num_rows} words and {len(value)} values of the label {label!r}; "
            "expected one a word."
        )
    return value


def _nothing_found(inputs: Inputs, label: str, found: Counter[str], known: Sequence[str], purpose: str) -> str:
    sentences = f"the {len(inputs.sentences)} {purpose} sentences"
    if not inputs.sentences:
        return f"fine-tuning for {label!r}: there are no {purpose} sentences."
    if found:
        shown = ", ".join(map(repr, sorted(found)[:10]))
        return f"fine-tuning for {label!r}: no label of {sentences} ({shown}) is one of the tags {list(known)}."
    others = sorted({name for sentence in inputs.sentences for name in sentence.labels})
    return f"fine-tuning: none of {sentences} has a label {label!r}. They have: {', '.join(others) or 'none'}."
