"""The shards of a store, by their sentences and by their numbers: one more costs the same, however many there are.

Both keep a list in the order of the sentences and look into it by bisection. Shards are committed nearly in that order, so what
is moved up to make room in the list is next to nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedpipe.store.manifest import ShardRecord

_START = attrgetter("start")


class CommittedShards:
    """Those that are on the disk for good. No two have a sentence or a name in common."""

    def __init__(self, records: Iterable[ShardRecord] = ()) -> None:
        self._records = sorted(records, key=_START)
        self._names = {record.name for record in self._records}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[ShardRecord]:
        """In the order of their sentences."""
        return iter(self._records)

    def add(self, record: ShardRecord) -> None:
        """Add one for which there is room."""
        insort(self._records, record, key=_START)
        self._names.add(record.name)

    def has_room(self, start: int, stop: int) -> bool:
        """Whether none has any of the sentences from ``start`` to ``stop``."""
        index = bisect_left(self._records, stop, key=_START)  # of the first that begins behind them
        return index == 0 or self._records[index - 1].stop <= start

    def has_name(self, name: str) -> bool:
        """Whether one is called so."""
        return name in self._names

    def holding(self, sentence: int) -> ShardRecord | None:
        """The one that has a sentence."""
        index = bisect_right(self._records, sentence, key=_START) - 1
        return self._records[index] if index >= 0 and sentence < self._records[index].stop else None

    def gaps(self, start: int, borders: Sequence[int]) -> list[tuple[int, int | None]]:
        """Ranges of sentences ``[start, stop)`` without a shard; the last one, ``(start, None)``, has no end.

        :param start: The first sentence that needs a shard.
        :param borders: Where the store has grown. No gap goes across one, as the shards before and after it are not of one
            origin.
        """
        gaps: list[tuple[int, int | None]] = []
        for record in self._records:
            gaps += _in_parts(start, record.start, borders)
            start = record.stop
        end = max((start, *borders))
        return [*gaps, *_in_parts(start, end, borders), (end, None)]


class ShardNumbers:
    """The numbers of shards, committed or being made, of which their names are made; where shards come in order, so do they.

    :param shards: The committed ones.
    :param lost: By its first sentence, the number of a shard that is there no more.
    """

    def __init__(self, shards: Iterable[ShardRecord], lost: Mapping[int, int]) -> None:
        self._given = sorted((record.start, record.number) for record in shards)
        self._taken = {number for _, number in self._given}
        self._most = max(self._taken, default=-1)
        self._lost = lost

    def give(self, start: int) -> int:
        """The number of the shard that begins at a sentence: of the lost one in its place, else the next one behind the shard
        before it, so that the order is kept; else one that no shard has. It stays the same when it is asked for again.
        """
        index = bisect_left(self._given, (start,))
        before, after = self._given[index - 1 : index] if index else [], self._given[index : index + 1]
        if after and after[0][0] == start:
            return after[0][1]
        number = self._lost.get(start, before[0][1] + 1 if before else 0)
        if number in self._taken or (after and number > after[0][1]):
            number = self._most + 1
        self._given.insert(index, (start, number))
        self._taken.add(number)
        self._most = max(self._most, number)
        return number


def _in_parts(start: int, stop: int, borders: Sequence[int]) -> list[tuple[int, int]]:
    """The sentences from ``start`` to ``stop``, if there are any, cut at the borders."""
    if start >= stop:
        return []
    ends = [start, *sorted({border for border in borders if start < border < stop}), stop]
    return list(pairwise(ends))
