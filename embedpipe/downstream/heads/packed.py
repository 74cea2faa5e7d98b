"""Batches of sentences whose rows stand one after the other, without padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from embedpipe.downstream.examples import row_ranges

if TYPE_CHECKING:
    from torch import Tensor

    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.examples import Examples
    from embedpipe.downstream.heads.groups import TagsOfGroups

_BYTES_A_READ = 2**25
_SENTENCES_A_READ = 256


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Some sentences.

    :param vectors: *Shape:* ``(num_rows, vector_size)``; for a learned mix ``(num_rows, num_layers, vector_size)``.
    :param lengths: Rows of each sentence, on the CPU. *Shape:* ``(num_sentences,)``, int64.
    :param codes: Of the tags, ``NO_CODE`` where there is none. *Shape:* ``(num_rows,)``, int64.
    :param allowed: The tags that a row can have; ``None`` where it can have any. *Shape:* ``(num_rows, num_tags)``, bool.
    """

    vectors: Tensor
    lengths: Tensor
    codes: Tensor
    allowed: Tensor | None = None


class Batches:
    """Reads batches of examples; all vectors stay in memory after the first reading, in the store's dtype, if they fit.

    :param memory_bytes: What they may take.
    :param groups: Restricts the tags, where the examples are in groups.
    """

    def __init__(
        self, examples: Examples, device: torch.device, memory_bytes: int = 0, groups: TagsOfGroups | None = None
    ) -> None:
        self.examples = examples
        self._device = device
        self._offsets = examples.offsets
        row_size = int(np.prod(examples.selection.shape))
        needed_bytes = row_size * np.dtype(examples.selection.dtype).itemsize * examples.num_rows
        self.kept_bytes = needed_bytes if needed_bytes <= memory_bytes else 0
        self._rows_a_read = max(1, _BYTES_A_READ // (4 * row_size))
        self._kept: Tensor | None = None
        self._codes = torch.from_numpy(examples.codes)
        self._groups = groups
        self._group_codes = None if groups is None or examples.groups is None else groups.codes(examples.groups)

    def take(self, chosen: IntArray) -> PackedBatch:
        """Read some sentences.

        :param chosen: Positions of the sentences among the examples.
        """
        lengths = self.examples.lengths[chosen]
        rows = torch.from_numpy(row_ranges(self._offsets[:-1][chosen], lengths))
        codes = self._codes[rows].to(self._device)
        return PackedBatch(self._vectors(chosen, rows), torch.from_numpy(lengths), codes, self._allowed(rows))

    def in_order(self) -> Iterator[PackedBatch]:
        """All sentences, in batches of bounded size, unless one sentence alone is larger."""
        every = self._rows_a_read
        by_rows = np.searchsorted(self._offsets, np.arange(0, self._offsets[-1] + every, every), "right") - 1
        cuts = np.unique([*by_rows, *range(0, len(self.examples.lengths), _SENTENCES_A_READ)])
        for start, stop in zip(cuts, [*cuts[1:], len(self.examples.lengths)], strict=True):
            if stop > start:
                yield self.take(np.arange(start, stop))

    def _vectors(self, chosen: IntArray, rows: Tensor) -> Tensor:
        if not self.kept_bytes:
            return self._read(chosen)
        if self._kept is None:
            self._kept = self._read_all()
        return self._kept.index_select(0, rows.to(self._device)).float()

    def _read(self, chosen: IntArray) -> Tensor:
        return torch.from_numpy(self.examples.vectors_of(chosen)).to(self._device)

    def _read_all(self) -> Tensor:
        selection = self.examples.selection
        dtype = getattr(torch, selection.dtype)
        kept = torch.empty((self.examples.num_rows, *selection.shape), dtype=dtype, device=self._device)
        for start in range(0, len(self.examples.lengths), _SENTENCES_A_READ):
            stop = min(start + _SENTENCES_A_READ, len(self.examples.lengths))
            kept[self._offsets[start] : self._offsets[stop]] = self._read(np.arange(start, stop))
        return kept

    def _allowed(self, rows: Tensor) -> Tensor | None:
        if self._group_codes is None or self._groups is None:
            return None
        return self._groups.allowed[self._group_codes[rows]].to(self._device)


def pad(rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Give each sentence a line of its own.

    :param rows: *Shape:* ``(num_rows, ...)``.
    :param lengths: *Shape:* ``(num_sentences,)``.
    :returns: Rows with zeros behind the shorter sentences, *shape* ``(num_sentences, max_length, ...)``; and which of them are
        rows, *shape* ``(num_sentences, max_length)``, bool. ``padded[mask]`` are the rows again.
    """
    places = torch.arange(int(lengths.max()))
    mask = (places < lengths[:, None]).to(rows.device)  # (num_sentences, max_length)
    padded = rows.new_zeros((*mask.shape, *rows.shape[1:]))
    padded[mask] = rows
    return padded, mask
