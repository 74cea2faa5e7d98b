"""How a head is trained: what all heads that are trained in epochs have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt


@dataclass(frozen=True)
class Training:
    """AdamW over shuffled batches of sentences, stopped early; the best epoch on the development sentences is kept.

    :param epochs: Passes over the training sentences at most.
    :param patience: Epochs without a better score on the development sentences, after which the training ends.
    :param min_updates: Before so many updates patience does not end it: with few sentences, an epoch is only a few.
    :param learning_rate: Of AdamW.
    :param mix_learning_rate: Of the weights of a learned mix, which are few and have far to go.
    :param weight_decay: Of AdamW, on weights alone: biases and the mix are not drawn to zero.
    :param batch_sentences: Sentences in a batch.
    :param clip_norm: Longer gradients are cut to this length.
    :param standardize: Whether inputs are shifted and scaled to mean 0 and variance 1 in every dimension, with statistics of
        the training sentences (for a learned mix, of the plain mean of its layers).
    :param memory_bytes: Vectors that fit into it are kept in memory after the first reading; others are read for each batch.
    :param device: Where it is trained: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    epochs: Annotated[int, Gt(0)] = 200
    patience: Annotated[int, Gt(0)] = 10
    min_updates: Annotated[int, Ge(0)] = 1000
    learning_rate: Annotated[float, Gt(0)] = 0.001
    mix_learning_rate: Annotated[float, Gt(0)] = 0.01
    weight_decay: Annotated[float, Ge(0), Lt(1)] = 0.01
    batch_sentences: Annotated[int, Gt(0)] = 32
    clip_norm: Annotated[float, Gt(0)] = 5.0
    standardize: bool = True
    memory_bytes: Annotated[int, Ge(0)] = 2 * 2**30
    device: str = "auto"
