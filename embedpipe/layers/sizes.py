"""How long a combined vector is where the layers of an encoder differ in width, and what can be combined of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedpipe.layers.apart import Concat

if TYPE_CHECKING:
    from embedpipe.layers.combination import LayerCombination


def combined_size(combination: LayerCombination, layer_sizes: Sequence[int]) -> int:
    """Length of a combined vector; of a stack, that of its widest layer, to which the others are filled up with zeros.

    :param layer_sizes: Width of each layer of the encoder, of the embedding layer first.
    :raises ValueError: If the encoder does not have one of the layers, or they differ in width and would be added.
    """
    num_layers = len(layer_sizes) - 1
    needed = combination.needed_layers(num_layers)
    sizes = [layer_sizes[layer] for layer in needed]
    if len(set(sizes)) <= 1:
        return combination.vector_size(max(sizes, default=max(layer_sizes)), num_layers)
    if combination.stacked:
        return max(sizes)
    if isinstance(combination, Concat):
        return sum(sizes)
    raise ValueError(unlike_sizes(needed, layer_sizes))


def unlike_sizes(layers: Sequence[int], layer_sizes: Sequence[int]) -> str:
    """Say why layers cannot be added; nothing if they can."""
    if len({layer_sizes[layer] for layer in layers}) <= 1:
        return ""
    widths = ", ".join(f"{layer} has {layer_sizes[layer]}" for layer in layers)
    return f"layers of unlike width cannot be added, and layer {widths} numbers; take one layer, concat or stack"
