"""Windows into tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedpipe.dataflow import Batch

if TYPE_CHECKING:
    from embedpipe.dataflow import Window


def collate(windows: Sequence[Window], *, pad_id: int) -> Batch:
    """Pad windows on the right to the length of the longest; segments are 0 where a window has none.

    :returns: *Shapes:* ``(num_windows, longest)``.
    """
    import torch

    longest = max(len(window.input_ids) for window in windows)
    input_ids = torch.full((len(windows), longest), pad_id, dtype=torch.int64)
    attention_mask = torch.zeros((len(windows), longest), dtype=torch.int64)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        input_ids[row, :length] = torch.from_numpy(window.input_ids)
        attention_mask[row, :length] = 1
    if all(window.segment_ids is None for window in windows):
        return Batch(input_ids, attention_mask)
    segment_ids = torch.zeros((len(windows), longest), dtype=torch.int64)
    for row, window in enumerate(windows):
        if window.segment_ids is not None:
            segment_ids[row, : len(window.segment_ids)] = torch.from_numpy(window.segment_ids)
    return Batch(input_ids, attention_mask, segment_ids)
