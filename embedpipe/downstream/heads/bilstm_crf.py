"""A BiLSTM with a CRF: the tags of a sentence are chosen together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from embedpipe.downstream.heads.trained import TrainedHead
from embedpipe.downstream.heads.training import Training

if TYPE_CHECKING:
    from embedpipe.downstream.heads.network import Network


@dataclass(frozen=True)
class BiLstmCrfHead(TrainedHead):
    """A BiLSTM and a conditional random field over its scores. BIO tags are always legal: no ``I-`` without its ``B-``.

    :param hidden_size: Units of each layer, in each direction.
    :param num_layers: Layers, one upon the other.
    :param dropout: Part of the numbers that is left out at random before, between and behind the layers in training.
    :param training: How it is trained.
    """

    hidden_size: Annotated[int, Gt(0)] = 256
    num_layers: Annotated[int, Gt(0), Lt(17)] = 1
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.2
    training: Training = field(default_factory=Training)

    def network(self, shape: tuple[int, ...], tags: tuple[str, ...]) -> Network:
        from embedpipe.downstream.heads.crf import Crf
        from embedpipe.downstream.heads.network import Network
        from embedpipe.downstream.heads.recurrent import BiLstm

        body = BiLstm(shape[-1], self.hidden_size, self.num_layers, self.dropout)
        return Network(shape, body, body.size, len(tags), Crf(tags))
