"""The linear probe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedpipe.downstream.heads.trained import TrainedHead
from embedpipe.downstream.heads.training import Training

if TYPE_CHECKING:
    from embedpipe.downstream.heads.network import Network


@dataclass(frozen=True)
class LinearHead(TrainedHead):
    """A linear probe: each word (or sentence) by itself, one linear layer and a softmax over the tags.

    :param training: How it is trained.
    """

    training: Training = field(default_factory=Training)

    def network(self, shape: tuple[int, ...], tags: tuple[str, ...]) -> Network:
        import torch

        from embedpipe.downstream.heads.network import Network, PerRow

        network = Network(shape, PerRow(), shape[-1], len(tags))
        torch.nn.init.zeros_(network.output.weight)  # nothing to forget; and a mix is not drawn anywhere by chance
        return network
