"""Windows over two texts that the encoder sees as a pair: ``[CLS] first [SEP] second [SEP]``."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.dataflow import Span, Window
from embedpipe.errors import EncoderError
from embedpipe.subwords.windows import WindowSize, split

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray, PairSubwords, SpecialSubwords, SubwordSentence


def pair_windows(sentence: SubwordSentence, size: WindowSize, special: SpecialSubwords) -> tuple[Window, ...]:
    """The windows of a pair; each holds something of both texts, and together they hold all of them.

    Where the pair is too long for one window, the shorter text is whole in every window and the longer one goes on from window
    to window. Where the shorter one, too, takes more than half of the room, both go on, in half a window each, and the one that
    ends first stays at its end. Every subword is taken from exactly one window; those of a text that is whole in all of them,
    from the first. Neighbouring windows share as large a part of a text's room as those of a single sentence do.

    :raises EncoderError: If the encoder was not made for pairs, or a window cannot hold anything of both texts.
    """
    pair = special.pair
    if pair is None:
        raise EncoderError(
            f"sentence {sentence.sentence.id!r} is a pair of texts (corpus.second), but this encoder's tokenizer puts nothing "
            "between two texts, so that they would run into one; leave corpus.second out, or take an encoder made for pairs"
        )
    middle = sentence.num_first or 0
    first, second = sentence.inputs[:middle], sentence.inputs[middle:]
    room = None if size.content is None else size.content - len(pair.between)
    if room is not None and room < min(2, len(sentence.inputs)):
        window = room + special.num_special + len(pair.between)
        raise EncoderError(f"context.window: {window} subwords leave no room for a pair of texts beside the special ones")
    shares = _shares(len(first), len(second), room)
    pieces = [
        split(len(text), WindowSize(share, size.overlap * share // (size.content or 1), size.is_causal))
        for text, share in zip((first, second), shares, strict=True)
    ]
    windows = []
    seen: list[tuple[Span, Span]] = []
    for both in itertools.zip_longest(*pieces):
        # A text that has come to its end stays in the window, and nothing more is taken from it.
        seen = [piece or (seen[side][0], (seen[side][1][1],) * 2) for side, piece in enumerate(both)]
        windows.append(_make_window((first, second), seen, special, pair))
    return tuple(windows)


def _shares(num_first: int, num_second: int, room: int | None) -> tuple[int, int]:
    """How many subwords of a window are for each text."""
    if room is None:
        return num_first, num_second
    shorter = min(num_first, num_second, room // 2)
    return (shorter, room - shorter) if num_first <= num_second else (room - shorter, shorter)


def _make_window(
    texts: tuple[IntArray, IntArray], seen: list[tuple[Span, Span]], special: SpecialSubwords, pair: PairSubwords
) -> Window:
    """Put special subwords around and between what a window sees of the texts.

    :param seen: Of each text the subwords that the window sees, and those of them that are taken from it.
    """
    first, second = (text[start:end] for text, ((start, end), _) in zip(texts, seen, strict=True))
    starts = len(special.prefix), len(special.prefix) + len(first) + len(pair.between)
    kept = [
        ((taken[0] - view[0] + start, taken[1] - view[0] + start), taken[0])
        for (view, taken), start in zip(seen, starts, strict=True)
    ]
    input_ids = np.concatenate([special.prefix, first, pair.between, second, special.suffix]).astype(np.int64)
    of_second = (kept[1][0], kept[1][1] + len(texts[0]))
    return Window(input_ids, *kept[0], second=of_second, segment_ids=_segments(len(first), len(second), special, pair))


def _segments(num_first: int, num_second: int, special: SpecialSubwords, pair: PairSubwords) -> IntArray | None:
    if pair.special_segments is None:
        return None
    front, between = len(special.prefix), len(pair.between)
    parts = np.split(np.asarray(pair.special_segments, dtype=np.int64), [front, front + between])
    own = [np.full(count, segment) for count, segment in zip((num_first, num_second), pair.text_segments, strict=True)]
    return np.concatenate([parts[0], own[0], parts[1], own[1], parts[2]]).astype(np.int64)
