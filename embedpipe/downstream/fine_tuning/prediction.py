"""Codes for sentences, from a model as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from embedpipe.downstream.examples import NO_CODE
from embedpipe.downstream.fine_tuning.model import as_tensors

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.fine_tuning.inputs import Inputs
    from embedpipe.downstream.fine_tuning.memory import Budget, Pieces
    from embedpipe.downstream.fine_tuning.model import FineTunedModel


def predict_codes(model: FineTunedModel, inputs: Inputs, budget: Budget, pad_id: int) -> list[IntArray]:
    """Take the highest tag of each row.

    :returns: By sentence; ``NO_CODE`` for a row that the encoder sees nothing of. *Shape of each:* ``(num_rows,)``.
    """

    def predict(pieces: Pieces) -> list[IntArray]:
        codes = [np.full(num_rows, NO_CODE, np.int64) for num_rows in inputs.num_rows]
        for piece in pieces:
            best = model(as_tensors(piece, pad_id, model.device)).argmax(dim=1).cpu().numpy()
            ends = np.cumsum([len(part.rows) for part in piece])
            for part, predicted in zip(piece, np.split(best, ends[:-1]), strict=True):
                codes[part.sentence][part.rows] = predicted
        return codes

    model.eval()
    with torch.inference_mode():
        return budget.run([part for parts in inputs.parts for part in parts], predict)
