"""The combinations that have a name of their own, among them the six choices of Devlin et al. 2019, table 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedpipe.layers.apart import Concat, Stack
from embedpipe.layers.linear import Layer, Mean, Sum

if TYPE_CHECKING:
    from embedpipe.layers.combination import LayerCombination

_LAST_FOUR = (-4, -3, -2, -1)

NAMED: dict[str, LayerCombination] = {
    "embeddings": Layer(0),
    "first": Layer(1),
    "second_to_last": Layer(-2),
    "last": Layer(-1),
    "sum_last_four": Sum(_LAST_FOUR),
    "mean_last_four": Mean(_LAST_FOUR),
    "concat_last_four": Concat(_LAST_FOUR),
    "sum_all": Sum(),
    "mean_all": Mean(),
    "all": Stack(),
}
"""By name. ``sum_all`` and ``mean_all`` leave the embedding layer out (the paper's "all 12 layers"); ``all`` stacks it in, at
index 0."""

DESCRIPTIONS: dict[str, str] = {
    "embeddings": "Layer 0, the output of the embedding layer: what a word is without its context.",
    "first": "Layer 1, the first encoder layer.",
    "second_to_last": "Layer -2.",
    "last": "Layer -1, the top of the encoder.",
    "sum_last_four": "Sum of layers -4 to -1.",
    "mean_last_four": "Mean of layers -4 to -1.",
    "concat_last_four": "Layers -4 to -1 one behind the other: vectors four times as long.",
    "sum_all": "Sum of all encoder layers, the embedding layer left out.",
    "mean_all": "Mean of all encoder layers, the embedding layer left out.",
    "all": "Every layer kept apart, the embedding layer at index 0; any combination can be made from it later.",
}
