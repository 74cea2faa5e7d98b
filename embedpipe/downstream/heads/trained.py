"""What all heads share that are trained in epochs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from embedpipe.downstream.heads.training import Training  # a config's schema resolves the annotation

if TYPE_CHECKING:
    from pathlib import Path

    from embedpipe.downstream.examples import Examples
    from embedpipe.downstream.heads.fitted import FittedNetwork
    from embedpipe.downstream.heads.head import OnEpoch
    from embedpipe.downstream.heads.network import Network


class TrainedHead(ABC):
    """A head that is a network: its settings say how the network is made, and the loop trains it."""

    learns_mix: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = True
    training: Training

    @abstractmethod
    def network(self, shape: tuple[int, ...], tags: tuple[str, ...]) -> Network:
        """Make the network, with random weights.

        :param shape: Of a row: ``(vector_size,)``, or ``(num_layers, vector_size)`` for a learned mix.
        :param tags: The tags that it tells apart.
        """

    def fit(
        self,
        train: Examples,
        dev: Examples,
        *,
        seed: int,
        on_epoch: OnEpoch | None = None,
        checkpoint: Path | None = None,
    ) -> FittedNetwork:
        """Train on ``train``, choose the best epoch on ``dev``; see :meth:`embedpipe.downstream.heads.head.Head.fit`.

        :raises FeaturesError: If there is nothing to learn from, or the loss is no number any more.
        :raises EncoderError: If the machine does not have the device.
        """
        from embedpipe.downstream.heads.loop import fit

        return fit(self, train, dev, seed=seed, on_epoch=on_epoch, checkpoint=checkpoint)
