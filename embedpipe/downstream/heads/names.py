"""The names of the heads that are trained in epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedpipe.downstream.heads.bilstm import BiLstmHead
from embedpipe.downstream.heads.bilstm_crf import BiLstmCrfHead
from embedpipe.downstream.heads.linear import LinearHead
from embedpipe.downstream.heads.mlp import MlpHead

if TYPE_CHECKING:
    from embedpipe.downstream.heads.trained import TrainedHead

TRAINED_HEADS: dict[str, type[TrainedHead]] = {
    "linear": LinearHead,
    "mlp": MlpHead,
    "bilstm": BiLstmHead,
    "bilstm_crf": BiLstmCrfHead,
}
