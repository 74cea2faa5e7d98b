"""Which layer is to blame for a vector that is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from embedpipe.errors import NonFiniteError

if TYPE_CHECKING:
    from embedpipe.states import SentenceStates


def largest_values(states: SentenceStates, position: int) -> dict[int, float]:
    """By layer, the largest absolute value of one sentence.

    :param position: Of the sentence in ``states``.
    """
    import torch

    start, end = states.sentence_offsets[position].tolist()
    taken = {layer: [states.subwords(layer, torch.float32)[start:end]] for layer in states.layers}
    for layer, vectors in states.cls.items():
        taken[layer].append(vectors[position : position + 1])
    return {layer: max(float(part.abs().max()) for part in parts if len(part)) for layer, parts in sorted(taken.items())}


def blame_a_layer(id: str, view: str, dtype: str, largest: Mapping[int, float]) -> NonFiniteError:
    """The error that names sentence, view and layer.

    :param dtype: Of the store.
    :param largest: By layer, the sentence's largest absolute value.
    """
    where = f"embedding sentence {id!r} for view {view!r}"
    for layer, value in largest.items():
        if not math.isfinite(value):
            return NonFiniteError(
                f"{where}: layer {layer} of the encoder has values that are not finite; it overflows in its precision. "
                "Set encoder.precision to bfloat16 or float32"
            )
    layer = max(largest, key=lambda layer: largest[layer])
    return NonFiniteError(
        f"{where}: a value does not fit {dtype} (at most 65504); layer {layer} reaches {largest[layer]:.0f}. "
        "Set store.dtype to float32, or leave that layer out"
    )
