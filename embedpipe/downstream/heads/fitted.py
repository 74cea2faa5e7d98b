"""A head that was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from embedpipe.downstream.heads.packed import Batches

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.examples import Examples
    from embedpipe.downstream.heads.groups import TagsOfGroups
    from embedpipe.downstream.heads.head import Epoch, MixWeights
    from embedpipe.downstream.heads.network import Network
    from embedpipe.downstream.heads.trained import TrainedHead


@dataclass
class FittedNetwork:
    """A head's network with the weights of its best epoch.

    :param device: Where it runs.
    :param groups: The tags of each group, where the training examples were in groups.
    """

    head: TrainedHead
    network: Network
    tags: tuple[str, ...]
    device: torch.device
    mix: MixWeights | None = None
    epochs: tuple[Epoch, ...] = ()
    groups: TagsOfGroups | None = None

    def predict(self, examples: Examples) -> IntArray:
        """Codes of the tags. *Shape:* ``(num_rows,)``."""
        return predict(self.network, Batches(examples, self.device, groups=self.groups))


def predict(network: Network, batches: Batches) -> IntArray:
    """Tag all examples.

    :returns: *Shape:* ``(num_rows,)``.
    """
    network.eval()
    with torch.inference_mode():
        codes = [network.codes(batch).cpu().numpy() for batch in batches.in_order()]
    return np.concatenate([*codes, np.zeros(0, np.int64)])
