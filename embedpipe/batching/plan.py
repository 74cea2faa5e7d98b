"""Which windows go into which batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt

_ON_A_CPU, _ELSEWHERE = 2048, 32_768
_SHARE_OF_A_START = 32
"""Of the budget, by which a batch takes longer than its subwords do: what it takes to start it, in every layer. Measured with
MiniLM on a CPU: about 60 subwords in float32, and 170 in bfloat16."""

_BATCHES_OF_A_BLOCK, _LEAST_ON_A_CPU = 12, 256
"""So that threads that share the batches of little text end at about the same time. The number of threads is not asked for: it
would change the last digits of the vectors."""


@dataclass(frozen=True)
class Batching:
    """How many subwords go through the encoder at a time.

    :param budget_subwords: Subwords of one batch, padding and special ones counted. A longer window goes alone. Left out: 2048
        on a CPU, where the numbers of a batch should fit its caches, and less where a block is less than a dozen of these;
        32,768 on a GPU. ``"auto"``: the fastest, measured on the corpus's first sentences in some ten seconds where a store is
        begun; the store says which, and keeps to it.
    """

    budget_subwords: Annotated[int, Gt(0)] | Literal["auto"] | None = None

    def budget(self, num_subwords: int, *, on_cpu: bool) -> int:
        """The budget of a block; where it is to be measured and has not been, the one that it has if left out.

        :param num_subwords: Of the block.
        :param on_cpu: Whether the encoder is on a CPU.
        """
        if isinstance(self.budget_subwords, int):
            return self.budget_subwords
        return min(_ON_A_CPU, max(_LEAST_ON_A_CPU, num_subwords // _BATCHES_OF_A_BLOCK)) if on_cpu else _ELSEWHERE


def plan_batches(lengths: Sequence[int], budget_subwords: int, *, multiple: int = 1) -> list[list[int]]:
    """Group windows of similar length, the longest first, so that little is padded and memory peaks at the start.

    Padding and the number of batches are weighed against each other: of the ways to cut the windows, sorted by length, that
    cut where a length ends or a batch is full, the one that takes the least time. Windows of equal length keep their order,
    so that equal input gives equal batches.

    :param lengths: Subwords of each window, special ones counted.
    :param budget_subwords: Most subwords of a batch, padding counted.
    :param multiple: A power of two of which the number of subwords of a batch, padding counted, shall be a multiple; a smaller
        one where a batch has few windows, none for the last batch.
    :returns: Indices into ``lengths``, each exactly once.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    cuts = _cuts([lengths[index] for index in order], budget_subwords, multiple)
    return [order[start:stop] for start, stop in cuts]


def _cuts(lengths: Sequence[int], budget: int, multiple: int) -> list[tuple[int, int]]:
    """Where to cut lengths that are sorted, the longest first: the shortest path through all places to cut."""
    ends = _ends_of_runs(lengths)
    time = [0.0, *[float("inf")] * len(lengths)]
    start_of = [0] * (len(lengths) + 1)
    for start, length in enumerate(lengths):
        if time[start] == float("inf"):
            continue  # no batch ends here
        for stop in _stops(start, length, budget, ends, multiple):
            seconds = time[start] + budget / _SHARE_OF_A_START + (stop - start) * length
            if seconds < time[stop]:
                time[stop], start_of[stop] = seconds, start
    cuts, stop = [], len(lengths)
    while stop:
        cuts.append((start_of[stop], stop))
        stop = start_of[stop]
    return cuts[::-1]


def _stops(start: int, length: int, budget: int, ends: Sequence[int], multiple: int) -> Iterator[int]:
    """Where a batch may end: with a run of equal lengths, or where it is full; or as near as ``multiple`` allows."""
    most = max(1, budget // max(1, length))
    # a full batch shall not lose more than a quarter of its windows to it
    step = min(multiple // math.gcd(multiple, length), _power_of_two_within(max(1, most // 4)))
    full = most - most % step
    stop = ends[start]
    while stop - start <= most:
        if stop == len(ends):
            yield stop
            return
        size = stop - start + -(stop - start) % step  # a few of the next length, rather than the next batch in this length
        yield min(start + min(size, full), len(ends))
        stop = ends[stop]
    yield start + full


def _power_of_two_within(number: int) -> int:
    return 1 << number.bit_length() - 1


def _ends_of_runs(lengths: Sequence[int]) -> list[int]:
    """For each place, where the run of lengths that are equal to its own ends."""
    ends = [len(lengths)] * len(lengths)
    for index in range(len(lengths) - 2, -1, -1):
        ends[index] = ends[index + 1] if lengths[index] == lengths[index + 1] else index + 1
    return ends
