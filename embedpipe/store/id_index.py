"""The index from a sentence's id to its number: the ids' hashes in sorted order, and the sentence behind each.

A reader finds an id by binary search without loading the ids; and as equal ids have equal hashes, the writer notices an id
that comes a second time when it comes, not hours later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.errors import StoreError
from embedpipe.store.format import ID_HASHES, ID_ORDER, SENTENCE_ID
from embedpipe.store.text import encode

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import IntArray
    from embedpipe.store.sealed import SealedFile

    HashArray = npt.NDArray[np.uint64]


def hash_ids(ids: Sequence[str]) -> HashArray:
    """The first 8 bytes of BLAKE2b of each id's bytes, as little-endian integers. *Shape:* ``(num_ids,)``."""
    digests = (hashlib.blake2b(encode(id), digest_size=8).digest() for id in ids)
    return np.frombuffer(b"".join(digests), "<u8")


class GrowingIdIndex:
    """The index under construction, 16 bytes a sentence: runs by ascending hash, each at least twice as long as the next.

    :param id_at: Gives the id of a sentence that was added before.
    """

    def __init__(self, id_at: Callable[[int], str]) -> None:
        self._id_at = id_at
        self._runs: list[tuple[HashArray, IntArray]] = []

    def check(self, ids: Sequence[str], hashes: HashArray, start: int) -> None:
        """Check that the ids of the sentences from ``start`` on are new.

        :param hashes: What :func:`hash_ids` makes of them.
        :raises StoreError: If one of them was added before, or is there twice.
        """
        if len(set(ids)) < len(ids):
            first_seen = {id: index for index, id in reversed(list(enumerate(ids)))}
            index, id = next((index, id) for index, id in enumerate(ids) if first_seen[id] != index)
            raise _duplicate(id, start + first_seen[id], start + index)
        order = np.argsort(hashes)  # neighbours are then looked up near each other
        ascending = hashes[order]
        for known, numbers in self._runs:
            places = np.searchsorted(known, ascending)
            (found,) = np.nonzero(known[np.minimum(places, len(known) - 1)] == ascending)
            for index in sorted(order[found].tolist()):  # different ids may, very rarely, have one hash
                first, end = np.searchsorted(known, hashes[index], "left"), np.searchsorted(known, hashes[index], "right")
                for earlier in sorted(numbers[first:end].tolist()):
                    if self._id_at(earlier) == ids[index]:
                        raise _duplicate(ids[index], earlier, start + index)

    def add(self, hashes: HashArray, start: int) -> None:
        """Add the checked ids of the sentences from ``start`` on."""
        run = _sorted(hashes, np.arange(start, start + len(hashes), dtype=np.int64))
        while self._runs and len(self._runs[-1][0]) < 2 * len(run[0]):
            run = _merge(self._runs.pop(), run)
        self._runs.append(run)

    def sorted(self) -> tuple[HashArray, IntArray]:
        """The hashes in ascending order, and the sentence of each; both of *shape* ``(num_ids,)``."""
        hashes, numbers = np.empty(0, "<u8"), np.empty(0, np.int64)
        while self._runs:
            hashes, numbers = _merge(self._runs.pop(), (hashes, numbers))
        if (hashes[1:] == hashes[:-1]).any():
            order = np.lexsort((numbers, hashes))
            hashes, numbers = hashes[order], numbers[order]
        self._runs = [(hashes, numbers)]
        return self._runs[0]


def find_ids(file: SealedFile, ids: Sequence[str]) -> IntArray:
    """The number of the sentence of each id, -1 for an id that is not there. *Shape:* ``(num_ids,)``."""
    known, order = file.column(ID_HASHES).mapped(), file.column(ID_ORDER).mapped()
    text = file.text(SENTENCE_ID)
    hashes = hash_ids(ids)
    starts, ends = np.searchsorted(known, hashes, "left"), np.searchsorted(known, hashes, "right")
    found = np.full(len(ids), -1, np.int64)
    for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        for number in order[start:end].tolist():
            if 0 <= number < len(text) and text.read(number, number + 1) == [ids[index]]:
                found[index] = number
    return found


def _sorted(hashes: HashArray, numbers: IntArray) -> tuple[HashArray, IntArray]:
    order = np.argsort(hashes, kind="stable")  # which takes two runs, one behind the other, for what they are
    return hashes[order], numbers[order]


def _merge(earlier: tuple[HashArray, IntArray], later: tuple[HashArray, IntArray]) -> tuple[HashArray, IntArray]:
    return _sorted(np.concatenate([earlier[0], later[0]]), np.concatenate([earlier[1], later[1]]))


def _duplicate(id: str, earlier: int, later: int) -> StoreError:
    return StoreError(
        f"cannot store sentence {later:,}: its id {id!r} is already that of sentence {earlier:,} (counted from 0), and ids "
        "must be unique. Give the sentences different ids in the corpus."
    )
