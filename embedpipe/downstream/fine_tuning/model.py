"""The encoder with a linear layer, and what it takes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from embedpipe.batching import collate
from embedpipe.encoders.inputs import inputs_of
from embedpipe.pooling import pool_words

if TYPE_CHECKING:
    from torch import Tensor

    from embedpipe.dataflow import Batch
    from embedpipe.downstream.fine_tuning.inputs import Part

_INITIAL_STD = 0.02  # of BERT's weights


@dataclass(frozen=True, slots=True)
class Piece:
    """Parts as tensors.

    :param picked: Positions of the vectors that are taken, in all of the batch's. *Shape:* ``(num_picked,)``.
    :param offsets: Which of the picked ones stand for each row. *Shape:* ``(num_rows, 2)``.
    """

    batch: Batch
    picked: Tensor
    offsets: Tensor


def as_tensors(parts: Sequence[Part], pad_id: int, device: torch.device) -> Piece:
    """Pad the windows of some parts to the same length."""
    batch = collate([window for part in parts for window in part.windows], pad_id=pad_id)
    length = batch.input_ids.shape[1]
    num_windows = np.array([len(part.windows) for part in parts])
    first_windows = np.cumsum(num_windows) - num_windows
    picked = np.concatenate(
        [(first + part.picked[:, 0]) * length + part.picked[:, 1] for first, part in zip(first_windows, parts, strict=True)]
    )
    ends = np.cumsum(np.concatenate([part.counts for part in parts]))
    offsets = np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1)
    return Piece(batch, torch.from_numpy(picked).to(device), torch.from_numpy(offsets).to(device))


class FineTunedModel(nn.Module):
    """An encoder of transformers and the only new weights: a linear layer from its last hidden state to the tags.

    :param dropout: Before the linear layer.
    """

    def __init__(self, encoder: nn.Module, num_tags: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        config: Any = encoder.config
        self.linear = nn.Linear(int(config.hidden_size), num_tags, device=next(encoder.parameters()).device)
        nn.init.normal_(self.linear.weight, std=_INITIAL_STD)
        nn.init.zeros_(self.linear.bias)

    @property
    def device(self) -> torch.device:
        return self.linear.weight.device

    def forward(self, piece: Piece) -> Tensor:
        """Score the tags of each row. *Shape:* ``(num_rows, num_tags)``."""
        outputs = self.encoder(**inputs_of(self.encoder, piece.batch, self.device))
        picked = outputs.last_hidden_state.flatten(0, 1)[piece.picked]
        vectors = picked if len(picked) == len(piece.offsets) else pool_words(picked, piece.offsets, mode="mean")
        scores: Tensor = self.linear(self.dropout(vectors))
        return scores

    def tensors(self) -> dict[str, Tensor]:
        """Everything that training changes, by name, each once however often the encoder uses it."""
        return {name: tensor.detach() for name, tensor in (*self.named_parameters(), *self.named_buffers())}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Copy in what :meth:`tensors` gave."""
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])
