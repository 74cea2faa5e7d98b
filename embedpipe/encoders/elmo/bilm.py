"""The bidirectional language model: layers of two LSTMs, one from the left and one from the right, that never meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from embedpipe.encoders.elmo.projected_lstm import LstmState, ProjectedLstm

if TYPE_CHECKING:
    from embedpipe.encoders.elmo.options import ElmoOptions
    from embedpipe.encoders.elmo.weights_file import WeightsFile

States: TypeAlias = tuple[tuple[LstmState, LstmState], ...]
"""By layer, the state from the left and from the right."""


@dataclass(frozen=True, slots=True)
class BiLm:
    """Each direction feeds itself only; the output of a layer is both, side by side.

    :param layers: By layer, the LSTM from the left and that from the right.
    :param skip_connections: Whether every layer but the first adds its input to its output.
    """

    layers: tuple[tuple[ProjectedLstm, ProjectedLstm], ...]
    skip_connections: bool

    @classmethod
    def load(cls, options: ElmoOptions, weights: WeightsFile) -> BiLm:
        """Read the weights.

        :raises EncoderError: If the file does not have them.
        """
        layers = [
            (
                ProjectedLstm.load(options, weights, layer, backward=False),
                ProjectedLstm.load(options, weights, layer, backward=True),
            )
            for layer in range(options.num_layers)
        ]
        return cls(tuple(layers), options.skip_connections)

    def new_states(self, num_sequences: int) -> States:
        """States to begin with: zero."""
        return tuple((_zeros(left, num_sequences), _zeros(right, num_sequences)) for left, right in self.layers)

    def __call__(self, words: Tensor, num_active: Sequence[int], states: States) -> Iterator[Tensor]:
        """Run layer by layer, as far as they are asked for.

        :param words: Packed. *Shape:* ``(num_packed, projection_size)``.
        :param num_active: How many sequences have a first word, a second word, ...
        :param states: That the sequences begin with; at the end, that they have left.
        :returns: Of layers 1, 2, ...: *shape* ``(num_packed, 2 * projection_size)``.
        """
        inputs = (words, words)
        for number, (lstms, layer_states) in enumerate(zip(self.layers, states, strict=True)):
            outputs = [lstm(each, num_active, state) for lstm, each, state in zip(lstms, inputs, layer_states, strict=True)]
            if number and self.skip_connections:
                for output, each in zip(outputs, inputs, strict=True):
                    output += each  # not part of the state
            yield torch.cat(outputs, dim=1)
            inputs = (outputs[0], outputs[1])


def _zeros(lstm: ProjectedLstm, num_sequences: int) -> LstmState:
    cell_size, projection_size = lstm.projection.shape
    hidden, cell = lstm.bias.new_zeros(num_sequences, projection_size), lstm.bias.new_zeros(num_sequences, cell_size)
    return LstmState(hidden, cell, is_zero=True)
