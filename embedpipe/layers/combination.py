"""The protocol of a layer combination: hidden states of some layers in, one vector per subword out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class LayerCombination(Protocol):
    """Turns hidden states into one vector per subword.

    A combination says which layers it needs, so that those above the highest one are never run, and is a pure function of
    them, so that a subword's vector depends on nothing else. One that adds nothing up may say so by an attribute ``only_moves``
    that is true: its numbers are then rounded to the store's precision before they are put together, which is quicker.
    """

    def needed_layers(self, num_layers: int) -> tuple[int, ...]:
        """The layers that :meth:`combine` takes, in its order, as indices from 0 (the embedding layer) to ``num_layers``.

        :raises ValueError: If the encoder does not have such a layer.
        """

    def vector_size(self, hidden_size: int, num_layers: int) -> int:
        """Length of a combined vector."""

    @property
    def stacked(self) -> bool:
        """Whether the layers stay apart, in an axis of their own before the vector's."""

    def combine(self, hidden_states: Sequence[Tensor]) -> Tensor:
        """Combine the needed layers.

        :param hidden_states: As :meth:`needed_layers` orders them. *Shape:* ``(..., hidden_size)`` each.
        :returns: *Shape:* ``(..., vector_size)``; stacked: ``(..., num_needed_layers, vector_size)``.
        """


def resolve_layer(layer: int, num_layers: int) -> int:
    """The index from 0 of a layer that may be counted from the end: -1 is the last one, 0 the embedding layer.

    :raises ValueError: If the encoder does not have it.
    """
    if num_layers == 0 and layer not in (0, -1):
        raise ValueError(
            f"layer {layer} does not exist: the encoder has no layers but its embeddings, layer 0, which is also -1"
        )
    if not -num_layers - 1 <= layer <= num_layers:
        raise ValueError(
            f"layer {layer} does not exist: the encoder has {num_layers} layers, numbered 0 (embeddings) to {num_layers}, "
            f"or {-num_layers - 1} to -1 from the end"
        )
    return layer if layer >= 0 else num_layers + 1 + layer


def resolve_layers(layers: Sequence[int], num_layers: int) -> tuple[int, ...]:
    """:func:`resolve_layer` for each of several layers."""
    return tuple(resolve_layer(layer, num_layers) for layer in layers)
