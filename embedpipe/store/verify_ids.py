"""Whether the ids of a file are unique and its index finds each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.store import format as names
from embedpipe.store.finding import Fault
from embedpipe.store.id_index import hash_ids

if TYPE_CHECKING:
    from embedpipe.store.sealed import SealedFile

_SENTENCES_A_READ = 4096
_SAME_HASH = 4
"""Sentences with one hash whose ids are compared with a later one's; where there are more, they have one id."""


def check_ids(file: SealedFile) -> Iterator[Fault]:
    """Check the index of ids: every sentence has its own place in it, under the hash of its id.

    :raises DamagedStoreError: If ids or index cannot be read.
    """
    yield from _check_order(file)
    text = file.text(names.SENTENCE_ID)
    for start in range(0, len(text), _SENTENCES_A_READ):
        yield from _check_found(file, text.read(start, min(start + _SENTENCES_A_READ, len(text))), start)


def _check_order(file: SealedFile) -> Iterator[Fault]:
    """Hashes ascend, and where they are equal so do the sentences."""
    hashes, order = file.column(names.ID_HASHES), file.column(names.ID_ORDER)
    for start in range(0, max(0, len(hashes) - 1), _SENTENCES_A_READ):
        stop = min(start + _SENTENCES_A_READ + 1, len(hashes))
        values, sentences = hashes.read(start, stop), order.read(start, stop)
        is_next = (values[1:] > values[:-1]) | ((values[1:] == values[:-1]) & (sentences[1:] > sentences[:-1]))
        (wrong,) = np.nonzero(~is_next)
        if len(wrong):
            what = f"{names.ID_HASHES} and {names.ID_ORDER} are not ascending at row {int(wrong[0]) + start + 1:,}"
            yield Fault.of_file("ids", what)


def _check_found(file: SealedFile, ids: Sequence[str], start: int) -> Iterator[Fault]:
    known, order = file.column(names.ID_HASHES).mapped(), file.column(names.ID_ORDER).mapped()
    hashes = hash_ids(ids)
    first, end = np.searchsorted(known, hashes, "left"), np.searchsorted(known, hashes, "right")
    sentences = np.arange(start, start + len(ids))
    is_alone = end - first == 1
    found = np.zeros(len(ids), bool)
    found[is_alone] = order[first[is_alone]] == sentences[is_alone]
    twice: list[tuple[int, int]] = []
    for index in np.flatnonzero(end - first > 1).tolist():
        others = order[first[index] : end[index]]
        place = int(np.searchsorted(others, sentences[index]))
        found[index] = place < len(others) and others[place] == sentences[index]
        before = others[max(0, place - _SAME_HASH) : place].tolist()
        twice += [(start + index, other) for other in before if _is_id_of(file, other, ids[index])][-1:]
    if not found.all():
        what = f"{names.ID_HASHES} and {names.ID_ORDER} do not lead to it"
        yield Fault("ids", lambda _: what, sentences[~found])
    if twice:
        say = "the id is that of sentence {:,} (counted from 0) as well"
        yield Fault("ids", lambda index: say.format(twice[index][1]), np.array([later for later, _ in twice]))


def _is_id_of(file: SealedFile, sentence: int, id: str) -> bool:
    """Whether a sentence has this id; different ids may, very rarely, have one hash."""
    text = file.text(names.SENTENCE_ID)
    return 0 <= sentence < len(text) and text.read(sentence, sentence + 1) == [id]
