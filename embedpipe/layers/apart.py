"""Combinations that lose nothing: layers one behind the other, or stacked in an axis of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from embedpipe.layers.combination import resolve_layers
from embedpipe.layers.linear import require_layers

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Concat:
    """Several layers one behind the other in one long vector (Devlin et al. 2019, table 7: "concat").

    :param layers: Layer indices, in the order of the vector; 0 is the embedding layer, -1 the last.
    """

    layers: tuple[int, ...]
    stacked: ClassVar[bool] = False
    only_moves: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_layers(self.layers)

    def needed_layers(self, num_layers: int) -> tuple[int, ...]:
        return resolve_layers(self.layers, num_layers)

    def vector_size(self, hidden_size: int, num_layers: int) -> int:
        return hidden_size * len(self.layers)

    def combine(self, hidden_states: Sequence[Tensor]) -> Tensor:
        import torch

        return torch.cat(list(hidden_states), dim=-1)


@dataclass(frozen=True)
class Stack:
    """Several layers kept apart, so that any combination can be made of them when the store is read.

    Where the layers of an encoder differ in width, the narrower ones are filled up with zeros.

    :param layers: Layer indices; 0 is the embedding layer, -1 the last. Left out: all, the embedding layer at index 0.
    """

    layers: tuple[int, ...] | None = None
    stacked: ClassVar[bool] = True
    only_moves: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_layers(self.layers)

    def needed_layers(self, num_layers: int) -> tuple[int, ...]:
        return tuple(range(num_layers + 1)) if self.layers is None else resolve_layers(self.layers, num_layers)

    def vector_size(self, hidden_size: int, num_layers: int) -> int:
        return hidden_size

    def combine(self, hidden_states: Sequence[Tensor]) -> Tensor:
        import torch

        widest = max(state.shape[-1] for state in hidden_states)
        return torch.stack([_filled_up(state, widest) for state in hidden_states], dim=-2)


def _filled_up(state: Tensor, width: int) -> Tensor:
    import torch

    lacking = width - state.shape[-1]
    return torch.nn.functional.pad(state, (0, lacking)) if lacking else state
