"""The BiLSTM as the body of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from allennlp_light.modules.seq2seq_encoders import PytorchSeq2SeqWrapper

from embedpipe.downstream.heads.packed import pad

if TYPE_CHECKING:
    from torch import Tensor


class BiLstm(torch.nn.Module):
    """A bidirectional LSTM over each sentence, with dropout before, between and behind its layers."""

    def __init__(self, vector_size: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if num_layers > 1 else 0.0
        lstm = torch.nn.LSTM(vector_size, hidden_size, num_layers, batch_first=True, bidirectional=True, dropout=between)
        self.encoder = PytorchSeq2SeqWrapper(lstm)
        self.dropout = torch.nn.Dropout(dropout)

    @property
    def size(self) -> int:
        """Of what it makes of a row."""
        return int(self.encoder.get_output_dim())

    def forward(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """Read the sentences.

        :param rows: *Shape:* ``(num_rows, vector_size)``.
        :param lengths: Rows of each sentence. *Shape:* ``(num_sentences,)``.
        :returns: *Shape:* ``(num_rows, size)``.
        """
        if not len(rows):
            return rows.new_zeros((0, self.size))
        padded, mask = pad(self.dropout(rows), lengths)
        hidden: Tensor = self.encoder(padded, mask)  # (num_sentences, max_length, size)
        dropped: Tensor = self.dropout(hidden[mask])
        return dropped
