"""The biLM's states between batches, where they are carried over: that of a row goes on in the same row of the next batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from embedpipe.encoders.elmo.projected_lstm import LstmState

if TYPE_CHECKING:
    from embedpipe.encoders.elmo.bilm import BiLm, States


class CarriedStates:
    """As AllenNLP's ``_EncoderBase`` has them: a batch with more rows than any before adds some that begin with zero, and one
    with fewer leaves the rest as they are.

    :param bilm: Whose states they are.
    """

    def __init__(self, bilm: BiLm) -> None:
        self._bilm = bilm
        self.states = bilm.new_states(0)

    def take(self, order: Tensor) -> States:
        """A copy of the states of a batch.

        :param order: Its rows, the longest first. *Shape:* ``(num_rows,)``, int64.
        """
        known = len(self.states[0][0].hidden)
        if (missing := len(order) - known) > 0:
            more = self._bilm.new_states(missing)
            self.states = tuple(
                (_joined(left, more_left), _joined(right, more_right))
                for (left, right), (more_left, more_right) in zip(self.states, more, strict=True)
            )
        return tuple((_rows(left, order), _rows(right, order)) for left, right in self.states)

    def put(self, order: Tensor, states: States) -> None:
        """Keep the states that a batch has left."""
        for kept, left in zip(self.states, states, strict=True):
            for mine, new in zip(kept, left, strict=True):
                place = order.to(mine.hidden.device)
                mine.hidden[place], mine.cell[place] = new.hidden, new.cell


def _joined(state: LstmState, more: LstmState) -> LstmState:
    return LstmState(torch.cat([state.hidden, more.hidden]), torch.cat([state.cell, more.cell]))


def _rows(state: LstmState, order: Tensor) -> LstmState:
    place = order.to(state.hidden.device)
    return LstmState(state.hidden[place], state.cell[place])
