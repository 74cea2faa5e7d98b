"""Which sentences are trained on together, and how fast the weights move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BATCHES_OF_A_POOL = 16


def shuffled_batches(lengths: Sequence[int], batch_sentences: int, *, seed: int, epoch: int) -> list[list[int]]:
    """Batches in random order, of sentences of similar length, so that little is padded.

    The sentences are shuffled, sorted by length only within pools of some batches, and cut: with whom a sentence is trained
    changes from epoch to epoch.

    :param lengths: Subwords of each sentence.
    :returns: Indices into ``lengths``, each exactly once.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    pools = [
        order[start : start + batch_sentences * _BATCHES_OF_A_POOL]
        for start in range(0, len(order), batch_sentences * _BATCHES_OF_A_POOL)
    ]
    by_length = np.concatenate([pool[np.argsort(np.asarray(lengths)[pool], kind="stable")] for pool in pools])
    batches = [by_length[start : start + batch_sentences].tolist() for start in range(0, len(order), batch_sentences)]
    return [batches[index] for index in random.permutation(len(batches))]


def learning_rate_share(step: int, num_steps: int, warmup: float) -> float:
    """The share of the highest learning rate that an update has: up linearly, then down to just above 0.

    :param step: From 0.
    :param warmup: Share of the steps in which it rises.
    """
    num_rising = round(warmup * num_steps)
    if step < num_rising:
        return (step + 1) / num_rising
    return (num_steps - step) / (num_steps - num_rising)
