"""A probe with one hidden layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from embedpipe.downstream.heads.trained import TrainedHead
from embedpipe.downstream.heads.training import Training

if TYPE_CHECKING:
    from embedpipe.downstream.heads.network import Network


@dataclass(frozen=True)
class MlpHead(TrainedHead):
    """Each word (or sentence) by itself: one hidden layer (ReLU) and a softmax over the tags.

    :param hidden_size: Units of the hidden layer.
    :param dropout: Part of the hidden units that is left out at random in training.
    :param training: How it is trained.
    """

    hidden_size: Annotated[int, Gt(0)] = 256
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.2
    training: Training = field(default_factory=Training)

    def network(self, shape: tuple[int, ...], tags: tuple[str, ...]) -> Network:
        import torch

        from embedpipe.downstream.heads.network import Network, PerRow

        hidden = torch.nn.Linear(shape[-1], self.hidden_size)
        return Network(shape, PerRow(hidden, torch.nn.ReLU(), torch.nn.Dropout(self.dropout)), self.hidden_size, len(tags))
