"""Overlapping windows over what is longer than an encoder can take."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import Span, SpecialSubwords, Window
from embedpipe.errors import EncoderError

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray


@dataclass(frozen=True, slots=True)
class WindowSize:
    """How much of a text the encoder sees at once.

    :param content: Subwords of a window, special ones not counted; ``None`` where there is no limit.
    :param overlap: Subwords that two neighbouring windows share.
    :param is_causal: Whether the encoder computes a subword from those before it only: what stands behind is no context then.
    """

    content: int | None
    overlap: int
    is_causal: bool = False


def choose_window_size(
    chosen: int | None,
    overlap: int | None,
    *,
    limits: tuple[int | None, ...],
    special: SpecialSubwords,
    is_causal: bool = False,
) -> WindowSize:
    """Settle the size of windows.

    :param chosen: The user's choice, in subwords with special ones; ``None`` for as long as the encoder can.
    :param overlap: The user's choice; ``None`` for a quarter of the window.
    :param limits: What the encoder and its tokenizer can take, ``None`` for no limit.
    :param is_causal: Of the encoder.
    :raises EncoderError: If the choice is longer than the encoder can take, or too short to hold anything.
    """
    limit = min((limit for limit in limits if limit is not None), default=None)
    if chosen is not None and limit is not None and chosen > limit:
        raise EncoderError(f"context.window: {chosen} subwords, but the encoder takes at most {limit}")
    window = chosen if chosen is not None else limit
    if window is None:
        return WindowSize(None, 0, is_causal)
    content = window - special.num_special
    if content < 1:
        raise EncoderError(f"context.window: {window} subwords leave no room beside {special.num_special} special ones")
    if overlap is not None and overlap > content // 2:
        raise EncoderError(f"context.overlap: {overlap} subwords; windows of {content} can share at most half, {content // 2}")
    return WindowSize(content, content // 4 if overlap is None else overlap, is_causal)


def split(num_subwords: int, size: WindowSize) -> list[tuple[Span, Span]]:
    """Cover a sequence with windows, each but a short sequence's only one as long as it may be.

    :returns: For each window the subwords that it sees, and those of them that are taken from it: every subword from the
        window in which the nearer end of the window is farthest away; for a causal encoder, in which the start is. The latter
        cover the sequence without overlap.
    """
    content = size.content
    if content is None or num_subwords <= content:
        return [((0, num_subwords), (0, num_subwords))]
    step = max(1, content - size.overlap)
    starts = [*range(0, num_subwords - content, step), num_subwords - content]
    neighbours = itertools.pairwise(starts)
    seams = [before + content if size.is_causal else (start + before + content + 1) // 2 for before, start in neighbours]
    kept = zip([0, *seams], [*seams, num_subwords], strict=True)
    return [((start, start + content), part) for start, part in zip(starts, kept, strict=True)]


def make_window(content: IntArray, kept: Span, first_subword: int, special: SpecialSubwords) -> Window:
    """Put special subwords around a window's content.

    :param content: *Shape:* ``(num_subwords,)``.
    :param kept: Positions in ``content`` that are taken from this window.
    :param first_subword: Index in the sentence of the subword at ``kept[0]``.
    """
    front = len(special.prefix)
    input_ids = np.concatenate([special.prefix, content, special.suffix]).astype(np.int64)
    return Window(input_ids, (kept[0] + front, kept[1] + front), first_subword)


def cls_position(window: Window, special: SpecialSubwords) -> int:
    """Where the classification subword stands in a window.

    :raises ValueError: If the encoder has none.
    """
    if special.cls_index is None:
        raise ValueError("the encoder has no classification subword")
    if special.cls_index < len(special.prefix):
        return special.cls_index
    return len(window.input_ids) - special.num_special + special.cls_index
