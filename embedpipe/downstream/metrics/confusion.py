"""Which label was taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.downstream.metrics.counts import Tags, require_same_shape
from embedpipe.downstream.metrics.entities import is_bio

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray


def confusion_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Rows and columns of :func:`confusion`: for BIO tags the entity types, sorted, and ``O``; other tags as they are."""
    if not is_bio(tags):
        return tuple(tags)
    return (*sorted({tag[2:] for tag in tags if tag != "O"}), "O")


def confusion(gold: Sequence[Tags], predicted: Sequence[Tags], tags: Sequence[str]) -> IntArray:
    """Count how often each label was taken for each.

    For BIO tags these are words, not entities: a word's tag is reduced to the entity type, so that ``B-PER`` for ``I-PER``
    is no confusion, and a word without a label is ``O``. A row is not counted if its gold or predicted label is none of the
    tags.

    :param tags: All tags of the label.
    :returns: Rows are gold, columns predicted, in the order of :func:`confusion_tags`. *Shape:* ``(num_tags, num_tags)``.
    :raises FeaturesError: If gold and predicted do not have the same sentences and lengths.
    """
    require_same_shape(gold, predicted)
    names = confusion_tags(tags)
    code_of: dict[str | None, int] = {name: code for code, name in enumerate(names)}
    if is_bio(tags):
        code_of |= {f"{prefix}-{name}": code for name, code in code_of.items() if name != "O" for prefix in "BI"}
        code_of[None] = code_of["O"]
    own, other = (np.array([code_of.get(tag, -1) for tag in chain(*side)], dtype=np.int64) for side in (gold, predicted))
    known = (own >= 0) & (other >= 0)
    cells = np.bincount(own[known] * len(names) + other[known], minlength=len(names) ** 2)
    return cells.reshape(len(names), len(names)).astype(np.int64)
