"""What a model is trained and tested on: rows of a view with their labels, sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.selection import Selection
    from embedpipe.store import Store
    from embedpipe.store.reader import StoredLabel

NO_CODE = -1
"""The code of a row that has no label, or one that is not among the tags."""


@dataclass(frozen=True)
class Examples:
    """Sentences with the vectors and labels of their rows. Vectors are read from the store as they are asked for.

    :param store: Has the vectors.
    :param selection: Which of them, and how a stored row becomes a vector (or, for a learned mix, a vector a layer).
    :param sentences: Numbers of the sentences in the store. *Shape:* ``(num_sentences,)``.
    :param starts: The first row of each sentence in the view. *Shape:* ``(num_sentences,)``.
    :param lengths: Rows of each sentence; 1 each where a row is a sentence. *Shape:* ``(num_sentences,)``.
    :param codes: Of the labels, sentence after sentence; ``NO_CODE`` where there is none. *Shape:* ``(num_rows,)``.
    :param tags: The label that each code stands for.
    :param groups: By row, within which rows a label is to be told (the lemma of a word sense); ``None`` where among all.
        *Shape:* ``(num_rows,)``.
    """

    store: Store
    selection: Selection
    sentences: IntArray
    starts: IntArray
    lengths: IntArray
    codes: IntArray
    tags: tuple[str, ...]
    groups: npt.NDArray[np.object_] | None = None

    @property
    def num_rows(self) -> int:
        """Rows of all sentences."""
        return len(self.codes)

    @property
    def offsets(self) -> IntArray:
        """Where each sentence's rows start among the codes. *Shape:* ``(num_sentences + 1,)``."""
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

    def rows_of(self, chosen: IntArray) -> IntArray:
        """Rows in the view of some sentences, one sentence after the other.

        :param chosen: Positions in ``sentences``.
        """
        return row_ranges(self.starts[chosen], self.lengths[chosen])

    def codes_of(self, chosen: IntArray) -> IntArray:
        """Codes of some sentences, one sentence after the other."""
        return self.codes[row_ranges(self.offsets[:-1][chosen], self.lengths[chosen])]

    def vectors_of(self, chosen: IntArray) -> npt.NDArray[np.float32]:
        """Vectors of some sentences, one sentence after the other.

        :returns: *Shape:* ``(num_rows, vector_size)``; for a learned mix ``(num_rows, num_layers, vector_size)``.
        """
        matrix = self.store.matrix(self.selection.view)
        return self.selection.vectors(matrix[self.rows_of(chosen)])

    def by_sentence(self, codes: IntArray) -> list[list[str]]:
        """Write codes, one a row, as the tags of each sentence; ``O`` for a row without a label."""
        names = np.array([*self.tags, "O"], dtype=object)  # NO_CODE is the last
        return [part.tolist() for part in np.split(names[codes], self.offsets[1:-1])]

    def labelled(self) -> Examples:
        """Only the sentences that have a row with a label."""
        has_label = np.array([part.max(initial=NO_CODE) > NO_CODE for part in np.split(self.codes, self.offsets[1:-1])], bool)
        return self.take(np.flatnonzero(has_label))

    def take(self, chosen: IntArray) -> Examples:
        """Some of the sentences.

        :param chosen: Positions in ``sentences``.
        """
        within = row_ranges(self.offsets[:-1][chosen], self.lengths[chosen])
        groups = None if self.groups is None else self.groups[within]
        return replace(
            self,
            sentences=self.sentences[chosen],
            starts=self.starts[chosen],
            lengths=self.lengths[chosen],
            codes=self.codes[within],
            groups=groups,
        )


def read_examples(
    store: Store,
    selection: Selection,
    label: str,
    *,
    tags: Sequence[str] | None = None,
    sentences: IntArray | None = None,
) -> Examples:
    """Find rows and labels in a store.

    :param label: A label of the view's unit.
    :param tags: The known labels, of the store that the model is trained on; left out: all of this store, sorted, ``O`` first.
        Labels that are not among them get the code ``NO_CODE``.
    :param sentences: Numbers of the sentences; left out: all.
    :raises FeaturesError: If the store does not have the label, or not for this unit.
    """
    unit = store.views[selection.view].unit
    found = store.label(label)
    if found.unit != unit:
        raise FeaturesError(
            f"the label {label!r} of {store.source} is one a {found.unit}, and view {selection.view!r} has a row a {unit}."
        )
    known = tuple(tags) if tags is not None else _sorted(found)
    code_of = {tag: code for code, tag in enumerate(known)}
    to_known = np.array([*(code_of.get(value, NO_CODE) for value in found.vocabulary), NO_CODE], np.int64)
    numbers = np.arange(len(store)) if sentences is None else np.asarray(sentences, np.int64)
    offsets = store.offsets(unit)
    starts, lengths = offsets[:-1][numbers], np.diff(offsets)[numbers]
    codes = to_known[found.codes[row_ranges(starts, lengths)]]  # the code -1 of no label is the last
    return Examples(store, selection, numbers, starts, lengths, codes, known)


def _sorted(label: StoredLabel) -> tuple[str, ...]:
    """``O`` first, so that its code is 0."""
    used = {label.vocabulary[code] for code in np.unique(label.codes).tolist() if code >= 0}
    return tuple(sorted(used, key=lambda tag: (tag != "O", tag)))


def row_ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """All numbers of the ranges that start at ``starts``, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    ranges: IntArray = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
    return ranges
