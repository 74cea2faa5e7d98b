"""Which windows go into which batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt


@dataclass(frozen=True)
class Batching:
    """How many subwords go through the encoder at a time.

    :param budget_subwords: Subwords of one batch, padding and special ones counted. A longer window goes alone.
    """

    budget_subwords: Annotated[int, Gt(0)] = 4096


def plan_batches(lengths: Sequence[int], budget_subwords: int) -> list[list[int]]:
    """Group windows of similar length, the longest first, so that little is padded and memory peaks at the start.

    Windows of equal length keep their order, so that equal input gives equal batches.

    :param lengths: Subwords of each window, special ones counted.
    :param budget_subwords: Most subwords of a batch, padding counted.
    :returns: Indices into ``lengths``, each exactly once.
    """
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if room == 0:
            batches.append([])
            room = max(1, budget_subwords // max(1, lengths[index]))
        batches[-1].append(index)
        room -= 1
    return batches
