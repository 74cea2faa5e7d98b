"""An AWD-LSTM that is not trained any more: an embedding and LSTMs. All of its dropouts do nothing then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from embedpipe.encoders.awd_lstm.checkpoint import Checkpoint


class AwdLstmNetwork(nn.Module):
    """One direction.

    :param checkpoint: Its weights.
    :param rows: For each id of a batch, the row of the embedding.
    :param backward: Whether it reads a text from its last unit to its first, ``xxbos``, as fastai's backward models do.
    """

    rows: Tensor

    def __init__(self, checkpoint: Checkpoint, rows: Sequence[int], *, backward: bool) -> None:
        super().__init__()
        self.sizes = checkpoint.sizes
        self.backward = backward
        num_rows, size = checkpoint.embedding.shape
        self.embedding = nn.Embedding(num_rows, size, _weight=checkpoint.embedding)
        self.lstms = nn.ModuleList()
        for weights, entering, size in zip(checkpoint.lstms, self.sizes, self.sizes[1:], strict=False):
            lstm = nn.LSTM(entering, size, batch_first=True)
            lstm.load_state_dict(weights)
            self.lstms.append(lstm)
        self.register_buffer("rows", torch.tensor(rows))

    def forward(self, ids: Tensor, lengths: Tensor, num_layers: int) -> list[Tensor]:
        """Run the lowest layers, each sequence from a state of zeros.

        What stands behind the end of a sequence comes after it in either direction, so padding changes nothing.

        :param ids: *Shape:* ``(num_windows, length)``.
        :param lengths: Without padding. *Shape:* ``(num_windows,)``.
        :param num_layers: How many of the LSTMs.
        :returns: The embedding and each of them. *Shape:* ``(num_windows, length, size)``.
        """
        order = _reversed_positions(lengths, ids.shape[1]) if self.backward else None  # (num_windows, length)
        state = self.embedding(self.rows[ids if order is None else ids.gather(1, order)])
        states = [state]
        for lstm in self.lstms[:num_layers]:
            state, _ = lstm(state)
            states.append(state)
        if order is None:
            return states
        return [state.gather(1, order[..., None].expand_as(state)) for state in states]


def _reversed_positions(lengths: Tensor, length: int) -> Tensor:
    """Positions of each sequence from its end to its start; padding stays where it is.

    :returns: Its own inverse. *Shape:* ``(num_windows, length)``.
    """
    positions = torch.arange(length, device=lengths.device).expand(len(lengths), length)
    return torch.where(positions < lengths[:, None], lengths[:, None] - 1 - positions, positions)
