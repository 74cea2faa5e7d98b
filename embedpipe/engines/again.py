"""Sentences of a store, embedded again: how far the new vectors are from the stored ones."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from embedpipe.dataflow import SentenceFlag, WindowedSentence
from embedpipe.store.finding import Fault

if TYPE_CHECKING:
    from embedpipe.dataflow import Block, FloatArray, SpecialSubwords, SubwordSentence
    from embedpipe.extraction import Embedder
    from embedpipe.store import Store
    from embedpipe.subwords import WindowSize

_SMALLEST_TOLERANCE = 1e-5
_STEP = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Distance of 1 from the next number; that of float32 is far below the smallest tolerance."""
_STEPS_OF_AN_ENCODER = 8


def choose(store: Store, number: int, seed: int, *, in_order: bool = False) -> frozenset[int]:
    """Choose sentences from equal parts of the store; those that have no vectors are left out.

    :param in_order: Choose the first ones, as the encoder carries a state from them to those behind.
    """
    chooser, size = random.Random(seed), len(store)
    if in_order:
        return frozenset(range(min(number, size)))
    number = min(number, size)
    bounds = [size * part // max(1, number) for part in range(number + 1)]
    chosen = [chooser.randrange(start, stop) for start, stop in itertools.pairwise(bounds)]
    return frozenset(index for index in chosen if not store[index].flags & SentenceFlag.FAILED)


def tolerance(dtype: str, precision: str) -> float:
    """How far the numbers of a vector that is made again may be off, absolutely, and relative to its largest number.

    1e-5, as another batch gives other rounding errors; one step of float16 where that is stored; and some steps of the
    encoder's precision, which rounds in every layer.

    :param dtype: Of the store.
    :param precision: Of the encoder.
    """
    return max(_SMALLEST_TOLERANCE, _STEP.get(dtype, 0.0), _STEPS_OF_AN_ENCODER * _STEP.get(precision, 0.0))


def embed_again(
    store: Store, embedder: Embedder, sentences: Mapping[int, WindowedSentence], differences: dict[str, float]
) -> Iterator[Fault]:
    """Embed sentences and compare their vectors with the stored ones.

    :param sentences: By their number in the store.
    :param differences: By view, the largest absolute difference; is filled in.
    """
    numbers = iter(sentences)
    precision = str(embedder.encoder.description.get("precision", "float32"))
    for block in replace(embedder, context=_AsTheyAre(tuple(sentences.values()))).embed([]):
        for vectors, number in zip(_by_sentence(block, embedder, store), numbers, strict=False):
            for view, found in vectors.items():
                limit = tolerance(store.views[view].dtype, precision)
                yield from _compare(view, number, found, store.vectors(view, number), limit, differences)


@dataclass(frozen=True)
class _AsTheyAre:
    """A context of sentences that have their windows already."""

    sentences: tuple[WindowedSentence, ...]
    window: int | None = None
    overlap: int | None = None
    joined: ClassVar[bool] = False

    def windows(
        self, sentences: Iterable[SubwordSentence], size: WindowSize, special: SpecialSubwords
    ) -> Iterator[WindowedSentence]:
        return iter(self.sentences)


def _by_sentence(block: Block, embedder: Embedder, store: Store) -> Iterator[dict[str, FloatArray]]:
    """The vectors of each sentence, of the views that the store has as well."""
    num_words = [len(sentence.words) for sentence in block.sentences]
    ends = {
        "word": np.cumsum([0, *num_words]),
        "subword": np.cumsum([0, *block.num_subwords.tolist()]),
        "sentence": np.arange(len(num_words) + 1),
    }
    for index in range(len(num_words)):
        found = {}
        for name, rows in block.views.items():
            if name in store.views:
                unit = embedder.views[name].unit
                start, end = ends[unit][index : index + 2].tolist()
                found[name] = rows[start] if unit == "sentence" else rows[start:end]
        yield found


def _compare(
    view: str, number: int, found: FloatArray, stored: FloatArray, limit: float, differences: dict[str, float]
) -> Iterator[Fault]:
    if found.shape != stored.shape:
        what = f"view {view!r}: shape {found.shape} made again, {stored.shape} in the store"
        yield Fault("vectors", lambda _: what, np.array([number]))
        return
    distance = np.abs(found.astype(np.float64) - stored)
    worst = float(distance.max(initial=0.0))
    differences[view] = max(differences.get(view, 0.0), worst)
    allowed = limit + limit * np.abs(stored).max(axis=-1, keepdims=True, initial=0.0)
    if not (distance <= allowed).all():  # not a number is not within it either
        what = (
            f"view {view!r}: made again, it differs by up to {worst:.2g}; expected at most {limit:.2g}, absolute plus relative"
        )
        yield Fault("vectors", lambda _: what, np.array([number]))
