"""Where the occurrences of a word lie, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedpipe.errors import FeaturesError
from embedpipe.experiment.features import MAP_VIEW
from embedpipe.experiment.labelled import gold_tags, read_part
from embedpipe.experiment.results import Occurrence, WordMap

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.experiment.comparison import Comparison
    from embedpipe.experiment.features import Stores
    from embedpipe.experiment.labelled import Labelled
    from embedpipe.store import Store

StaticVectors: TypeAlias = "Callable[[str, Sequence[str]], npt.NDArray[np.floating] | None]"
"""Given an encoder's name and words, the vector of each word before any context. *Shape:* ``(num_words, hidden_size)``;
``None`` where the encoder has none."""

MOST_OCCURRENCES = 2000

_NO_SENSE = "_"  # as readers of CoNLL-U have it

_DIGITS = 5  # of a coordinate; the rest is not seen, and differs from machine to machine


def word_maps(
    comparison: Comparison, labelled: Labelled, stores: Stores, static_vectors: StaticVectors | None
) -> tuple[tuple[WordMap, ...], tuple[str, ...]]:
    """Draw the words of a comparison, for each encoder in its first context.

    :returns: The maps, and a sentence for each word that there are too few occurrences of, or more than are drawn.
    :raises FeaturesError: If there is no such label, or it is none of words.
    """
    maps: list[WordMap] = []
    notes: list[str] = []
    context = next(iter(comparison.contexts))
    of_sentences = comparison.task.unit == "sentence"
    views = {name: MAP_VIEW if of_sentences else comparison.pooling_names(name)[0] for name in comparison.encoders}
    for word in comparison.maps:
        for encoder, view in views.items():
            places = list(_find(word, str(comparison.sense_label), labelled, stores[encoder, context]))
            if len(places) < 3:
                notes.append(
                    f"There is no map of {word!r}: {len(places)} occurrences have the label {comparison.sense_label!r}."
                )
                continue
            if len(places) > MOST_OCCURRENCES:
                notes.append(f"The map of {word!r} has the first {MOST_OCCURRENCES:,} of {len(places):,} occurrences.")
            maps.append(_map(word, encoder, view, places[:MOST_OCCURRENCES], static_vectors))
    return tuple(maps), tuple(dict.fromkeys(notes))  # the same for each encoder


_Place: TypeAlias = "tuple[Store, int, Occurrence]"
"""Where an occurrence is: the store and the row of its word."""


def _find(word: str, label: str, labelled: Labelled, stores: Mapping[str, Store]) -> Iterator[_Place]:
    """Find the words that have the label and are, or have as lemma, the one asked for."""
    for part in labelled.parts.values():
        store = stores[part.corpus]
        if (unit := store.label(label).unit) != "word":
            raise FeaturesError(f"map_label: {label!r} of {store.source} is one a {unit}; maps are of words.")
        offsets = store.offsets("word")
        lemmas = labelled.task.groups(store) if label == labelled.task.label else None
        gold = gold_tags(store, label, _NO_SENSE, part.sentences)
        for sentence, senses in zip(read_part(store, part), gold, strict=True):
            for index, (form, sense) in enumerate(zip(sentence.words, senses, strict=True)):
                row = int(offsets[sentence.index]) + index
                lemma = "" if lemmas is None else str(lemmas[row])
                if sense is not None and word.casefold() in (form.casefold(), lemma.casefold()):
                    yield store, row, Occurrence(sentence.id, form, sense, sentence.text, sentence.spans[index])


def _map(word: str, encoder: str, view: str, places: Sequence[_Place], static_vectors: StaticVectors | None) -> WordMap:
    vectors = np.stack([store.matrix(view).read(row, row + 1)[0] for store, row, _ in places]).astype(np.float64)
    occurrences = tuple(occurrence for _, _, occurrence in places)  # vectors: (num_occurrences, num_layers, hidden_size)
    panels = {f"layer {layer}": vectors[:, layer] for layer in range(vectors.shape[1])}
    static = static_vectors(encoder, [occurrence.word for occurrence in occurrences]) if static_vectors else None
    if static is not None:
        panels = {"static": np.asarray(static, dtype=np.float64)} | panels
    projected = {name: principal_components(points) for name, points in panels.items()}
    senses = [occurrence.sense for occurrence in occurrences]
    return WordMap(
        encoder,
        word,
        occurrences,
        {name: tuple((x, y) for x, y in points.tolist()) for name, (points, _) in projected.items()},
        {name: explained for name, (_, explained) in projected.items()},
        {name: separation(points, senses) for name, points in panels.items()},
    )


def principal_components(vectors: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """Project onto the two directions of the largest variance; each points to where its largest coordinate is.

    :param vectors: *Shape:* ``(num_points, size)``.
    :returns: *Shape:* ``(num_points, 2)``, and the part of the variance that is left, 0 where there is none at all.
    """
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    variance = float((sizes**2).sum())
    if variance <= 1e-20 * max(1.0, float((vectors**2).sum())):
        return np.zeros((len(vectors), 2)), 0.0
    points = np.zeros((len(vectors), 2))
    points[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    largest = np.abs(points).argmax(axis=0)
    points *= np.where(points[largest, [0, 1]] < 0, -1, 1)
    return points.round(_DIGITS) + 0.0, round(float((sizes[:2] ** 2).sum()) / variance, _DIGITS)


def separation(vectors: npt.NDArray[np.float64], senses: Sequence[str]) -> float:
    """How often the nearest other point, by the cosine, has the same sense; of equally near ones, their share counts."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms > 0, norms, 1)
    near = unit @ unit.T
    np.fill_diagonal(near, -np.inf)
    nearest = near >= near.max(axis=1, keepdims=True) - 1e-9
    same = np.array(senses, dtype=object)[:, None] == np.array(senses, dtype=object)[None, :]
    return round(float(((nearest & same).sum(axis=1) / nearest.sum(axis=1)).mean()), _DIGITS)
