"""Sequences of different lengths, packed: the first words of all of them, then the second words, and so on, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the words of a padded batch are in the packed rows.

    :param order: The rows of the batch, the longest first. *Shape:* ``(num_rows,)``, int64.
    :param num_active: How many of them have a first word, a second word, ...
    :param places: Of each packed row, its place in the flattened batch. *Shape:* ``(num_packed,)``, int64.
    """

    order: Tensor
    num_active: Sequence[int]
    places: Tensor
    _shape: tuple[int, int]

    @classmethod
    def of(cls, attention_mask: Tensor) -> Packing:
        """Sort and pack.

        :param attention_mask: 1 at words, 0 at the padding behind them. *Shape:* ``(num_rows, length)``, int64.
        """
        num_rows, length = attention_mask.shape
        lengths = attention_mask.sum(dim=1)
        order = torch.sort(lengths, descending=True, stable=True).indices
        is_word = attention_mask[order].bool().t()
        places = (order * length).expand(length, num_rows) + torch.arange(length)[:, None]
        num_active = is_word.sum(dim=1).tolist()
        return cls(order, [count for count in num_active if count], places[is_word], (num_rows, length))

    def unpack(self, rows: Tensor) -> Tensor:
        """Put packed rows back into their places; the padding is zero.

        :param rows: *Shape:* ``(num_packed, size)``.
        :returns: *Shape:* ``(num_rows, length, size)``.
        """
        num_rows, length = self._shape
        padded = rows.new_zeros(num_rows * length, rows.shape[1])
        padded[self.places.to(rows.device)] = rows
        return padded.view(num_rows, length, -1)
