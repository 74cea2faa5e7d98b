"""Which sentences of a store are not committed yet, and what the shard in their place is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from embedpipe.store.manifest import Manifest, ShardRecord


def find_gaps(manifest: Manifest, num_held: int) -> list[tuple[int, int | None]]:
    """Ranges of sentences ``[start, stop)`` without a shard; the last one, ``(start, None)``, has no end.

    None of them goes across a place at which the store has grown, as the shards before and after it are not of one origin.

    :param num_held: Sentences at the beginning that need no shard yet.
    """
    gaps: list[tuple[int, int | None]] = []
    start, borders = num_held, manifest.origin.borders
    for shard in manifest.shards:
        gaps += _in_parts(start, shard.start, borders)
        start = shard.stop
    end = max((start, *borders))
    return [*gaps, *_in_parts(start, end, borders), (end, None)]


def free_number(shards: Sequence[ShardRecord], lost: Mapping[int, int], start: int, stop: int) -> int:
    """The number of a new shard: that of the lost one in its place, else the next one, so that the order is kept.

    :param shards: In the order of their sentences.
    :param lost: By its first sentence, the number of a shard that is there no more.
    """
    taken = {record.number for record in shards}
    before = [record.number for record in shards if record.stop <= start]
    after = [record.number for record in shards if record.start >= stop]
    number = lost.get(start, before[-1] + 1 if before else 0)
    is_free = number not in taken and (not after or number < after[0])
    return number if is_free else max(taken) + 1


def _in_parts(start: int, stop: int, borders: Sequence[int]) -> list[tuple[int, int]]:
    """The sentences from ``start`` to ``stop``, if there are any, cut at the borders."""
    ends = [start, *sorted({border for border in borders if start < border < stop}), stop]
    return list(pairwise(ends)) if start < stop else []
