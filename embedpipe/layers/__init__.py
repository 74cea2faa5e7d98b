"""Layer combinations: hidden states of some layers in, one vector per subword out."""

from embedpipe.layers.apart import Concat, Stack
from embedpipe.layers.combination import LayerCombination, resolve_layer
from embedpipe.layers.linear import Layer, Mean, Sum, WeightedSum
from embedpipe.layers.named import DESCRIPTIONS, NAMED
from embedpipe.layers.scalar_mix import ScalarMix
from embedpipe.layers.sizes import combined_size, unlike_sizes

__all__ = [
    "DESCRIPTIONS",
    "NAMED",
    "Concat",
    "Layer",
    "LayerCombination",
    "Mean",
    "ScalarMix",
    "Stack",
    "Sum",
    "WeightedSum",
    "combined_size",
    "resolve_layer",
    "unlike_sizes",
]
