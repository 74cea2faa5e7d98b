"""Windows into tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import Batch

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray, Window


def collate(windows: Sequence[Window], *, pad_id: int) -> Batch:
    """Pad windows on the right to the length of the longest; segments are 0 where a window has none.

    :returns: *Shapes:* ``(num_windows, longest)``.
    """
    import torch

    lengths = np.array([len(window.input_ids) for window in windows], np.int64)
    is_real = np.arange(lengths.max()) < lengths[:, None]
    input_ids = np.full(is_real.shape, pad_id, np.int64)
    input_ids[is_real] = np.concatenate([window.input_ids for window in windows])
    batch = Batch(torch.from_numpy(input_ids), torch.from_numpy(is_real.astype(np.int64)))
    if all(window.segment_ids is None for window in windows):
        return batch
    segment_ids = np.zeros(is_real.shape, np.int64)
    segment_ids[is_real] = np.concatenate([_segments(window) for window in windows])
    return Batch(batch.input_ids, batch.attention_mask, torch.from_numpy(segment_ids))


def _segments(window: Window) -> IntArray:
    return np.zeros(len(window.input_ids), np.int64) if window.segment_ids is None else window.segment_ids
