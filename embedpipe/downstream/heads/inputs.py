"""From stored vectors to what a head sees: mixed, where the mix is learned, and standardised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from embedpipe.downstream.heads.mix import Mix

if TYPE_CHECKING:
    from torch import Tensor


class Inputs(torch.nn.Module):
    """The first step of every network: ``(mix(vectors) - mix(means)) * scale``, or the same without a mix.

    Means are kept by layer, so that what a network sees stays centred whatever weights its mix learns.

    :param shape: Of a row: ``(vector_size,)``, or ``(num_layers, vector_size)`` for a learned mix.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.mix = Mix(shape[0]) if len(shape) == 2 else None
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape[-1]))

    def forward(self, vectors: Tensor) -> Tensor:
        """Prepare rows.

        :param vectors: *Shape:* ``(num_rows, *shape)``.
        :returns: *Shape:* ``(num_rows, vector_size)``.
        """
        if self.mix is None:
            return (vectors - self.mean) * self.scale
        mixed: Tensor = self.mix(vectors) - self.mix(self.mean[None])
        return mixed * self.scale

    def measure(self, parts: Iterable[Tensor], *, standardize: bool) -> None:
        """Take the scale of the training rows: a mix starts with a mean square of 1, whatever its layers' scale is.

        :param parts: Rows. *Shape:* ``(num_rows, *shape)`` each.
        :param standardize: Whether every dimension gets mean 0 and variance 1 beyond that.
        """
        if self.mix is None and not standardize:
            return
        mean, mean_square = _moments(parts)
        center = mean if self.mix is None else mean.mean(0)  # (vector_size,)
        gamma = torch.ones((), dtype=torch.float64)
        if self.mix is not None:
            gamma = mean_square.mean().rsqrt() if mean_square.any() else gamma
            self.mix.scale(float(gamma))
        if standardize:
            deviation = (mean_square - center**2).clamp(min=0).sqrt() * gamma
            self.mean.copy_(mean)
            self.scale.copy_(torch.where(deviation > 1e-6 * deviation.max(), 1 / deviation, 1.0))


def _moments(parts: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Means and mean squares over all rows, in float64 on the CPU.

    :returns: Means, *shape* ``shape``; and mean squares, of the mean of the layers where there are layers, *shape*
        ``(vector_size,)``.
    """
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        rows = part if part.ndim == 2 else part.mean(1)  # (num_rows, vector_size)
        count += len(rows)
        total = total + part.sum(0, dtype=torch.float64).cpu()
        squares = squares + rows.double().square().sum(0).cpu()
    return total / max(1, count), squares / max(1, count)
