"""What float16 cannot hold and a model cuts to its largest number, without a word."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

_CLAMPED = torch.finfo(torch.float16).max - 1000
"""To this the layers of T5, BART, mBART and Marian clamp, so that what overflows looks finite."""


class _Pass(threading.local):
    """What was seen in a forward pass; each thread has its own."""

    def __init__(self) -> None:
        self.reached: list[Tensor] = []
        """By layer, where. *Shape of each:* ``(num_windows, length)``."""


class SaturationWatch:
    """Finds the sequences in which a layer's output has reached what float16 can hold at most.

    :param layers: Of a model in float16; each one's output is looked at.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        self._pass = _Pass()
        for layer in layers:
            layer.register_forward_hook(self._leave_layer)

    def start(self) -> None:
        """Forget what was before a pass."""
        self._pass.reached.clear()

    def mark(self, states: Mapping[int, Tensor], attention_mask: Tensor) -> dict[int, Tensor]:
        """Put infinity where numbers are wrong: in all of a sequence, from the layer on that overflowed.

        :param states: Of the pass that has just been, *shape* ``(num_windows, length, hidden_size)`` each.
        :param attention_mask: What stands in the padding does not count. *Shape:* ``(num_windows, length)``.
        """
        wrong = attention_mask.new_zeros((len(attention_mask), 1, 1), dtype=torch.bool)
        marked = {}
        for layer in range(max(states) + 1):
            if layer:
                wrong = wrong | (self._pass.reached[layer - 1] & attention_mask.bool()).any(dim=1)[:, None, None]
            if layer in states:
                marked[layer] = states[layer].masked_fill(wrong, torch.inf)
        return marked

    def _leave_layer(self, _module: nn.Module, _args: Any, output: Any) -> None:
        states = output if isinstance(output, torch.Tensor) else output[0]
        limit = _CLAMPED if states.dtype == torch.float16 else torch.inf  # T5 goes on in float32
        self._pass.reached.append((states.abs() >= limit).any(dim=-1))
