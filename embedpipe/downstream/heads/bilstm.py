"""The tagger of the BERT paper: a BiLSTM over frozen vectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from embedpipe.downstream.heads.trained import TrainedHead
from embedpipe.downstream.heads.training import Training

if TYPE_CHECKING:
    from embedpipe.downstream.heads.network import Network


@dataclass(frozen=True)
class BiLstmHead(TrainedHead):
    """A BiLSTM and a softmax over the tags of each word, as in Devlin et al. 2019, section 5.3: two layers of 768, no CRF.

    :param hidden_size: Units of each layer, in each direction.
    :param num_layers: Layers, one upon the other.
    :param dropout: Part of the numbers that is left out at random before, between and behind the layers in training.
    :param training: How it is trained.
    """

    hidden_size: Annotated[int, Gt(0)] = 768
    num_layers: Annotated[int, Gt(0), Lt(17)] = 2
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.2
    training: Training = field(default_factory=Training)

    def network(self, shape: tuple[int, ...], tags: tuple[str, ...]) -> Network:
        from embedpipe.downstream.heads.network import Network
        from embedpipe.downstream.heads.recurrent import BiLstm

        body = BiLstm(shape[-1], self.hidden_size, self.num_layers, self.dropout)
        return Network(shape, body, body.size, len(tags))
