"""Windows that are equal, and so need to go through the encoder once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedpipe.dataflow import Window


def group_equal(windows: Sequence[Window]) -> list[list[int]]:
    """Group windows that an encoder cannot tell apart: the same subwords in the same segments.

    :returns: Indices into ``windows``, each exactly once, the first ones of the groups in order.
    """
    groups: dict[tuple[bytes, bytes | None], list[int]] = {}
    for index, window in enumerate(windows):
        segments = None if window.segment_ids is None else window.segment_ids.tobytes()
        groups.setdefault((window.input_ids.tobytes(), segments), []).append(index)
    return list(groups.values())
