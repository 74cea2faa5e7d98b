"""Which epoch is the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from embedpipe.downstream.examples import NO_CODE
from embedpipe.downstream.heads.fitted import predict
from embedpipe.downstream.metrics import is_bio, score_tags

if TYPE_CHECKING:
    from embedpipe.downstream.examples import Examples
    from embedpipe.downstream.heads.network import Network
    from embedpipe.downstream.heads.packed import Batches


def rank(network: Network, dev: Batches, train_loss: float) -> tuple[float, float]:
    """Score on the development sentences; while that is 0, as without any entities, the lower loss is the better one.

    :returns: What epochs are compared by; the score comes first.
    """
    if not dev.examples.num_rows:
        return 0.0, -train_loss
    score = _score(dev.examples, predict(network, dev))
    return score, -_loss(network, dev) if score == 0 else 0.0


def _score(dev: Examples, codes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
    has_tag = dev.codes != NO_CODE
    if not is_bio(dev.tags):
        return float((dev.codes == codes)[has_tag].mean())
    gold, predicted = dev.by_sentence(dev.codes), dev.by_sentence(np.where(has_tag, codes, NO_CODE))
    return score_tags(gold, predicted, dev.tags)["f1"]


def _loss(network: Network, batches: Batches) -> float:
    with torch.inference_mode():
        total = sum(float(network.loss(batch)) for batch in batches.in_order())
    return total / max(1, int((batches.examples.codes != NO_CODE).sum()))
