"""Labels of a block: small integers into a vocabulary in the order in which its values are first seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from embedpipe.dataflow import Sentence, Unit
from embedpipe.errors import StoreError
from embedpipe.store.format import NO_LABEL


class Vocabulary(dict[str, int]):
    """Numbers a value when it is first asked for."""

    def __missing__(self, value: str) -> int:
        self[value] = code = len(self)
        return code


@dataclass(frozen=True, slots=True)
class BlockLabel:
    """One label of a block: the code of each row, and what the codes stand for."""

    unit: Unit
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    codes: list[int] = field(default_factory=list)

    def append(self, value: str | tuple[str, ...] | None, num_words: int) -> None:
        """Add what a sentence has of it."""
        if value is None:
            self.codes.extend([NO_LABEL] * (num_words if self.unit == "word" else 1))
        elif isinstance(value, str):
            self.codes.append(self.vocabulary[value])
        else:
            self.codes.extend(map(self.vocabulary.__getitem__, value))


def check_labels(sentences: Sequence[Sentence]) -> dict[str, Unit]:
    """Check that every label has one unit, and as many values as there are words.

    :returns: Units of the labels of these sentences, in the order in which they are first seen.
    :raises StoreError: Names the sentence and the label.
    """
    units: dict[str, Unit] = {}
    for sentence in sentences:
        for name, value in sentence.labels.items():
            unit: Unit = "sentence" if isinstance(value, str) else "word"
            expected = units.setdefault(name, unit)
            if unit != expected:
                raise _mistake(sentence, name, f"is one a {unit} here and was one a {expected} before")
            if unit == "word" and len(value) != len(sentence.spans or ()):
                raise _mistake(sentence, name, f"has {len(value)} values for {len(sentence.spans or ())} words")
            if not name:
                raise _mistake(sentence, name, "has an empty name")
    return units


def block_labels(sentences: Sequence[Sentence], units: Mapping[str, Unit]) -> dict[str, BlockLabel]:
    """The labels of a block, whose units were checked; where a sentence lacks a label, it gets none."""
    labels = {name: BlockLabel(unit) for name, unit in units.items()}
    for sentence in sentences:
        for name, label in labels.items():
            label.append(sentence.labels.get(name), len(sentence.spans or ()))
    return labels


def _mistake(sentence: Sentence, name: str, what: str) -> StoreError:
    return StoreError(f"cannot store sentence {sentence.id!r}: its label {name!r} {what}.")
