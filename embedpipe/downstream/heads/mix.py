"""The learned mix as a module: AllenNLP's ``ScalarMix`` over the layers of a stacked view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from allennlp_light.modules.scalar_mix import ScalarMix

from embedpipe.downstream.heads.head import MixWeights

if TYPE_CHECKING:
    from torch import Tensor


class Mix(torch.nn.Module):
    """``gamma * sum_j softmax(scalars)_j * h_j``; it starts as the mean of the layers.

    :param num_layers: Layers that it mixes.
    """

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.scalar_mix = ScalarMix(num_layers)

    def forward(self, layers: Tensor) -> Tensor:
        """Mix the layers of each row.

        :param layers: *Shape:* ``(num_rows, num_layers, vector_size)``.
        :returns: *Shape:* ``(num_rows, vector_size)``.
        """
        apart = layers.transpose(0, 1).contiguous()  # (num_layers, num_rows, vector_size): three times as fast to add up
        mixed: Tensor = self.scalar_mix(apart.unbind(0))
        return mixed

    def scale(self, gamma: float) -> None:
        """Set gamma."""
        torch.nn.init.constant_(self.scalar_mix.gamma, gamma)

    def weights(self, layers: tuple[int, ...]) -> MixWeights:
        """What it has learned.

        :param layers: Indices of the layers that it mixes.
        """
        scalars = torch.cat([scalar.detach().cpu() for scalar in self.scalar_mix.scalar_parameters])
        weights = torch.softmax(scalars.double(), 0)
        return MixWeights(layers, tuple(scalars.tolist()), tuple(weights.tolist()), self.scalar_mix.gamma.item())
