"""The network of every trained head: inputs, a body, a score for each tag, and a CRF over these where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from embedpipe.downstream.examples import NO_CODE
from embedpipe.downstream.heads.inputs import Inputs

if TYPE_CHECKING:
    from torch import Tensor

    from embedpipe.downstream.heads.crf import Crf
    from embedpipe.downstream.heads.packed import PackedBatch

IMPOSSIBLE = -1e4
"""The score of a tag that a row cannot have."""


class PerRow(torch.nn.Module):
    """A body that sees each row by itself."""

    def __init__(self, *layers: torch.nn.Module) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, rows: Tensor, lengths: Tensor) -> Tensor:
        hidden: Tensor = self.layers(rows)
        return hidden


class Network(torch.nn.Module):
    """Rows in, tags out.

    :param shape: Of a row, as :class:`~embedpipe.downstream.heads.inputs.Inputs` takes it.
    :param body: Rows and lengths in, rows of ``body_size`` out.
    """

    def __init__(
        self, shape: tuple[int, ...], body: torch.nn.Module, body_size: int, num_tags: int, crf: Crf | None = None
    ) -> None:
        super().__init__()
        self.inputs = Inputs(shape)
        self.body = body
        self.output = torch.nn.Linear(body_size, num_tags)
        self.crf = crf

    def scores(self, batch: PackedBatch) -> Tensor:
        """A score for each tag. *Shape:* ``(num_rows, num_tags)``."""
        scores: Tensor = self.output(self.body(self.inputs(batch.vectors), batch.lengths))
        return scores if batch.allowed is None else scores.masked_fill(~batch.allowed, IMPOSSIBLE)

    def loss(self, batch: PackedBatch) -> Tensor:
        """Negative log-likelihood, summed over the rows that have a tag. *Shape:* ``()``."""
        scores = self.scores(batch)
        if self.crf is not None:
            negative: Tensor = self.crf(scores, batch.codes, batch.lengths)
            return negative
        return cross_entropy(scores, batch.codes, ignore_index=NO_CODE, reduction="sum")

    def codes(self, batch: PackedBatch) -> Tensor:
        """The best tags. *Shape:* ``(num_rows,)``, int64."""
        scores = self.scores(batch)
        return scores.argmax(1) if self.crf is None else self.crf.best_paths(scores, batch.lengths)
