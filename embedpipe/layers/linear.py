"""Weighted sums of layers: one layer, a sum, a mean, given weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from embedpipe.layers.combination import resolve_layer, resolve_layers

if TYPE_CHECKING:
    from torch import Tensor


class _OneVector:
    """What all combinations share that keep the encoder's own vector size."""

    stacked: ClassVar[bool] = False

    def vector_size(self, hidden_size: int, num_layers: int) -> int:
        return hidden_size


@dataclass(frozen=True)
class Layer(_OneVector):
    """The vectors of one layer.

    :param index: 0 is the embedding layer, 1 the first encoder layer, -1 the last, -2 the second to last.
    """

    index: int
    only_moves: ClassVar[bool] = True

    def needed_layers(self, num_layers: int) -> tuple[int, ...]:
        return (resolve_layer(self.index, num_layers),)

    def combine(self, hidden_states: Sequence[Tensor]) -> Tensor:
        return hidden_states[0]


@dataclass(frozen=True)
class Sum(_OneVector):
    """The sum of several layers (Devlin et al. 2019, table 7: "sum").

    :param layers: Layer indices; 0 is the embedding layer, -1 the last. Left out: all encoder layers, without the embedding
        layer.
    """

    layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        require_layers(self.layers)

    def needed_layers(self, num_layers: int) -> tuple[int, ...]:
        return _chosen_or_encoder_layers(self.layers, num_layers)

    def combine(self, hidden_states: Sequence[Tensor]) -> Tensor:
        first, *others = hidden_states
        if not others:
            return first.clone()
        total = first + others[0]
        for state in others[1:]:
            total += state
        return total


@dataclass(frozen=True)
class Mean(Sum):
    """The mean of several layers.

    :param layers: Layer indices; 0 is the embedding layer, -1 the last. Left out: all encoder layers, without the embedding
        layer.
    """

    def combine(self, hidden_states: Sequence[Tensor]) -> Tensor:
        return super().combine(hidden_states) / len(hidden_states)


@dataclass(frozen=True)
class WeightedSum(_OneVector):
    """A sum of layers with weights taken as they are given; ``scalar_mix`` normalizes its own.

    :param weights: One weight for each of the layers.
    :param layers: Layer indices; 0 is the embedding layer, -1 the last. Left out: all layers from the embedding layer up, so
        that there must be ``num_layers + 1`` weights.
    """

    weights: tuple[float, ...]
    layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        require_layers(self.layers)
        require_one_each("weights", self.weights, self.layers)

    def needed_layers(self, num_layers: int) -> tuple[int, ...]:
        return chosen_or_all_layers("weights", self.weights, self.layers, num_layers)

    def combine(self, hidden_states: Sequence[Tensor]) -> Tensor:
        total = hidden_states[0] * self.weights[0]
        for weight, state in zip(self.weights[1:], hidden_states[1:], strict=True):
            total += weight * state
        return total


def require_layers(layers: tuple[int, ...] | None) -> None:
    if layers is not None and not layers:
        raise ValueError("layers: an empty list; name at least one layer, or leave it out")


def require_one_each(field: str, values: tuple[float, ...], layers: tuple[int, ...] | None) -> None:
    if not values:
        raise ValueError(f"{field}: an empty list; give one number for each layer")
    if layers is not None and len(layers) != len(values):
        raise ValueError(f"{field}: {len(values)} numbers for {len(layers)} layers; give one for each")


def chosen_or_all_layers(
    field: str, values: tuple[float, ...], layers: tuple[int, ...] | None, num_layers: int
) -> tuple[int, ...]:
    """The chosen layers, or all from the embedding layer up, of which there must be as many as ``values``."""
    if layers is not None:
        return resolve_layers(layers, num_layers)
    if len(values) != num_layers + 1:
        raise ValueError(
            f"{field}: {len(values)} numbers, but the encoder has {num_layers + 1} layers with the embedding layer; "
            "give one for each, or name the layers with 'layers'"
        )
    return tuple(range(num_layers + 1))


def _chosen_or_encoder_layers(layers: tuple[int, ...] | None, num_layers: int) -> tuple[int, ...]:
    if layers is None and num_layers == 0:
        raise ValueError("the encoder has no layers but its embeddings, layer 0; take 'embeddings'")
    return tuple(range(1, num_layers + 1)) if layers is None else resolve_layers(layers, num_layers)
