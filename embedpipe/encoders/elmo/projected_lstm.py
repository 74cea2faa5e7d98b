"""One direction of one layer of the biLM: an LSTM whose cells are clipped, whose state is projected, and clipped again.

torch.nn.LSTM has a projection too, but no clips. What the inputs contribute to the gates is one product over many words; only
what the state contributes has to wait for the word before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from embedpipe.encoders.elmo.product import Product

if TYPE_CHECKING:
    from embedpipe.encoders.elmo.options import ElmoOptions
    from embedpipe.encoders.elmo.weights_file import WeightsFile

_ROWS_AT_A_TIME = 512
"""Of the gates, which are many numbers: 64 KiB a word in the original model."""


@dataclass(frozen=True, slots=True)
class LstmState:
    """The state of some sequences, changed in place.

    :param hidden: *Shape:* ``(num_sequences, projection_size)``.
    :param cell: *Shape:* ``(num_sequences, cell_size)``.
    :param is_zero: Whether all of it is zero at the beginning.
    """

    hidden: Tensor
    cell: Tensor
    is_zero: bool = False


@dataclass(frozen=True, slots=True)
class ProjectedLstm:
    """The gates are input, forget, output and new, one behind the other.

    :param of_input: *Shape:* ``(projection_size, 4 * cell_size)``.
    :param of_state: *Shape:* ``(projection_size, 4 * cell_size)``.
    :param bias: *Shape:* ``(4 * cell_size,)``.
    :param projection: *Shape:* ``(cell_size, projection_size)``.
    """

    of_input: Product
    of_state: Product
    bias: Tensor
    projection: Tensor
    cell_clip: float | None
    projection_clip: float | None
    backward: bool

    @classmethod
    def load(cls, options: ElmoOptions, weights: WeightsFile, layer: int, *, backward: bool) -> ProjectedLstm:
        """Read the weights.

        :raises EncoderError: If the file does not have them.
        """
        name = f"RNN_{int(backward)}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        size, cell_size = options.projection_size, options.cell_size
        input_weight, state_weight = _reorder_gates(weights.take(f"{name}/W_0", 2 * size, 4 * cell_size)).chunk(2)
        bias = _reorder_gates(weights.take(f"{name}/B", 4 * cell_size))
        bias[cell_size : 2 * cell_size] += 1  # tensorflow adds it when it runs
        return cls(
            Product.by(input_weight.contiguous(), has_single_rows=False),
            Product.by(state_weight.contiguous(), has_single_rows=True),
            bias,
            weights.take(f"{name}/W_P_0", cell_size, size),
            options.cell_clip,
            options.projection_clip,
            backward,
        )

    def __call__(self, inputs: Tensor, num_active: Sequence[int], state: LstmState) -> Tensor:
        """Run over packed sequences.

        :param inputs: Packed; see :class:`~embedpipe.encoders.elmo.packed.Packing`. *Shape:* ``(num_packed, projection_size)``.
        :param num_active: How many sequences have a first word, a second word, ...
        :param state: That the sequences begin with, the longest first; at the end, that they have left.
        :returns: *Shape:* ``(num_packed, projection_size)``.
        """
        outputs = torch.empty_like(inputs)
        num_begun = 0 if state.is_zero else len(state.hidden)
        for steps in _in_parts(num_active, backward=self.backward):
            first = min(start for start, _ in steps)
            last = max(stop for _, stop in steps)
            gates = self.bias.repeat(last - first, 1)
            self.of_input.add_to(gates, inputs[first:last])
            for start, stop in steps:
                self._step(gates[start - first : stop - first], state, num_begun, outputs[start:stop])
                num_begun = max(num_begun, stop - start)
        return outputs

    def _step(self, gates: Tensor, state: LstmState, num_begun: int, output: Tensor) -> None:
        """One word of each sequence that has one.

        :param gates: What the inputs contribute; overwritten. *Shape:* ``(count, 4 * cell_size)``.
        :param num_begun: The first so many sequences have a state, and the others zero, which contributes nothing.
        :param output: Is filled in. *Shape:* ``(count, projection_size)``.
        """
        count = len(gates)
        hidden, cell = state.hidden[:count], state.cell[:count]
        if num_begun:
            self.of_state.add_to(gates[:num_begun], hidden[:num_begun])
        size = cell.shape[1]
        opened = gates[:, : 3 * size].sigmoid_()
        new = gates[:, 3 * size :].tanh_()
        cell.mul_(opened[:, size : 2 * size]).addcmul_(opened[:, :size], new)
        if self.cell_clip is not None:
            cell.clamp_(-self.cell_clip, self.cell_clip)
        torch.mm(torch.tanh(cell).mul_(opened[:, 2 * size :]), self.projection, out=output)
        if self.projection_clip is not None:
            output.clamp_(-self.projection_clip, self.projection_clip)
        hidden.copy_(output)


def _reorder_gates(weight: Tensor) -> Tensor:
    """From tensorflow's order (input, new, forget, output) to the one here.

    :param weight: *Shape:* ``(..., 4 * cell_size)``.
    """
    input, new, forget, output = weight.chunk(4, dim=-1)
    return torch.cat([input, forget, output, new], dim=-1)


def _in_parts(num_active: Sequence[int], *, backward: bool) -> Iterator[list[tuple[int, int]]]:
    """The packed rows of each step, in the order of the direction, in parts whose rows lie together and are not too many."""
    stops = list(itertools.accumulate(num_active))
    steps = [(stop - count, stop) for stop, count in zip(stops, num_active, strict=True)]
    part: list[tuple[int, int]] = []
    room = _ROWS_AT_A_TIME
    for start, stop in reversed(steps) if backward else steps:
        if part and stop - start > room:
            yield part
            part, room = [], _ROWS_AT_A_TIME
        part.append((start, stop))
        room -= stop - start
    if part:
        yield part
