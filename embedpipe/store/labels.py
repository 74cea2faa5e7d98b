"""Labels under construction: small integers into a vocabulary that grows in the order in which labels are first seen."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from embedpipe.dataflow import Sentence, Unit
from embedpipe.errors import StoreError
from embedpipe.store.attributes import write_string
from embedpipe.store.column import GrowingColumn, GrowingText
from embedpipe.store.format import CODE, LABEL_CODES, LABELS, NO_LABEL, POSITION, UNIT, VOCABULARY, link_name


class GrowingLabels:
    """All labels of the sentences. Which there are, and of which unit, is settled as they are first seen."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._fields: dict[str, _LabelField] = {}
        self._num_sentences = 0
        self._num_words = 0

    def check(self, sentences: Sequence[Sentence]) -> None:
        """Check that every label has the unit that it had before, and as many values as there are words.

        :raises StoreError: Names the sentence and the label.
        """
        units: dict[str, Unit] = {name: field.unit for name, field in self._fields.items()}
        for sentence in sentences:
            for name, value in sentence.labels.items():
                unit = _unit_of(value)
                if units.setdefault(name, unit) != unit:
                    raise _mistake(sentence, name, f"is one a {unit} here and was one a {units[name]} before")
                if unit == "word" and len(value) != len(sentence.spans or ()):
                    raise _mistake(sentence, name, f"has {len(value)} values for {len(sentence.spans or ())} words")
                if not name:
                    raise _mistake(sentence, name, "has an empty name")

    def append(self, sentences: Sequence[Sentence]) -> None:
        """Add the labels of the next sentences; where a sentence lacks a label, it gets none."""
        for sentence in sentences:
            for name, value in sentence.labels.items():
                if name not in self._fields:
                    self._start(name, _unit_of(value))
        for name, field in self._fields.items():
            field.append([sentence.labels.get(name) for sentence in sentences], [len(s.spans or ()) for s in sentences])
        self._num_sentences += len(sentences)
        self._num_words += sum(len(sentence.spans or ()) for sentence in sentences)

    def finish(self) -> None:
        """Write the vocabularies and what is still gathered."""
        self._file.require_group(LABELS)
        for position, field in enumerate(self._fields.values()):
            field.finish(position)

    def _start(self, name: str, unit: Unit) -> None:
        self._fields[name] = field = _LabelField(self._file, f"{LABELS}/{link_name(name)}", unit)
        field.add_missing(self._num_words if unit == "word" else self._num_sentences)


class _Vocabulary(dict[str, int]):
    """Numbers a value when it is first asked for."""

    def __missing__(self, value: str) -> int:
        self[value] = code = len(self)
        return code


class _LabelField:
    """One label: its vocabulary, and the code of each row."""

    def __init__(self, file: h5py.File, path: str, unit: Unit) -> None:
        self.unit = unit
        self._file = file
        self._path = path
        self._vocabulary = _Vocabulary()
        self._codes = GrowingColumn(file, f"{path}/{LABEL_CODES}", CODE)

    def add_missing(self, num_rows: int) -> None:
        self._codes.append(np.full(num_rows, NO_LABEL, CODE))

    def append(self, values: Sequence[str | tuple[str, ...] | None], num_words: Sequence[int]) -> None:
        vocabulary = self._vocabulary
        codes: list[int] = []
        for value, count in zip(values, num_words, strict=True):
            if value is None:
                codes.extend([NO_LABEL] * (count if self.unit == "word" else 1))
            elif isinstance(value, str):
                codes.append(vocabulary[value])
            else:
                codes.extend(map(vocabulary.__getitem__, value))
        self._codes.append(np.array(codes, CODE))

    def finish(self, position: int) -> None:
        self._codes.finish()
        vocabulary = GrowingText(self._file, f"{self._path}/{VOCABULARY}")
        vocabulary.append(list(self._vocabulary))
        vocabulary.finish()
        group = self._file[self._path]
        write_string(group, UNIT, self.unit)
        group.attrs[POSITION] = position


def _unit_of(value: str | tuple[str, ...]) -> Unit:
    return "sentence" if isinstance(value, str) else "word"


def _mistake(sentence: Sentence, name: str, what: str) -> StoreError:
    return StoreError(f"cannot store sentence {sentence.id!r}: its label {name!r} {what}.")
