"""Sentences that are held out of the training, where no others are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.downstream.examples import Examples

_FRACTION = 10


def hold_out(examples: Examples, seed: int) -> tuple[Examples, Examples]:
    """Hold out about a tenth of the sentences that have a label: whole documents, unless there are too few for that.

    Sentences of one document are alike; with some in training, the others would look easier than those of a new one.

    :returns: For training, and held out.
    :raises FeaturesError: If fewer than two sentences have a label.
    """
    labelled = examples.labelled()
    num_sentences = len(labelled.sentences)
    if num_sentences < 2:
        raise FeaturesError(
            f"{examples.store.source} has {num_sentences} sentences with a label; at least two are needed, one to train on and "
            "one to choose the best epoch by."
        )
    frame = examples.store.sentences_frame()
    documents = frame["document"].to_numpy()[labelled.sentences]
    wanted = max(1, round(num_sentences / _FRACTION))
    generator = np.random.default_rng(abs(seed))
    held = _documents(documents, wanted, generator)
    if not held.any():
        held[generator.permutation(num_sentences)[:wanted]] = True
    return labelled.take(np.flatnonzero(~held)), labelled.take(np.flatnonzero(held))


def _documents(documents: npt.NDArray[np.object_], wanted: int, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Take documents at random until there are enough sentences; one that is too long is passed over.

    :returns: Which sentences are taken. *Shape:* ``(num_sentences,)``, bool.
    """
    names, codes, sizes = np.unique(documents, return_inverse=True, return_counts=True)
    taken = np.zeros(len(names), bool)
    for document in generator.permutation(len(names)):
        num_taken = int(sizes[taken].sum())
        if num_taken < wanted and num_taken + sizes[document] <= 2 * wanted and sizes[document] < len(documents):
            taken[document] = True
    held: npt.NDArray[np.bool_] = taken[codes]
    return held
