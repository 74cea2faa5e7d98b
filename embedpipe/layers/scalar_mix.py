"""ELMo's mix of layers, with weights that a model has learned or a person has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from embedpipe.layers.linear import chosen_or_all_layers, require_layers, require_one_each

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ScalarMix:
    """``gamma * sum_j softmax(scalars)_j * h_j`` (Peters et al. 2018, eq. 1), computed by AllenNLP's own module.

    AllenNLP's optional layer norm is not offered: it takes its statistics over the whole batch, so a sentence's vector would
    depend on its neighbours.

    :param scalars: One number for each of the layers, before the softmax; equal numbers give the mean.
    :param layers: Layer indices; 0 is the embedding layer, -1 the last. Left out: all layers from the embedding layer up, so
        that there must be ``num_layers + 1`` scalars. (AllenNLP's embedder for BERT leaves the embedding layer out.)
    :param gamma: Scales the mix.
    """

    scalars: tuple[float, ...]
    layers: tuple[int, ...] | None = None
    gamma: float = 1.0
    stacked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_layers(self.layers)
        require_one_each("scalars", self.scalars, self.layers)

    def needed_layers(self, num_layers: int) -> tuple[int, ...]:
        return chosen_or_all_layers("scalars", self.scalars, self.layers, num_layers)

    def vector_size(self, hidden_size: int, num_layers: int) -> int:
        return hidden_size

    def combine(self, hidden_states: Sequence[Tensor]) -> Tensor:
        import torch
        from allennlp_light.modules.scalar_mix import ScalarMix as AllenNlpScalarMix

        mix = AllenNlpScalarMix(len(self.scalars), initial_scalar_parameters=list(self.scalars), trainable=False)
        torch.nn.init.constant_(mix.gamma, self.gamma)
        with torch.no_grad():
            mixed: Tensor = mix.to(hidden_states[0].device)(list(hidden_states))
        return mixed
