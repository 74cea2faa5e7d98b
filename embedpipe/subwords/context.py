"""What an encoder sees around a sentence: nothing, or the rest of its document."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

import numpy as np
from annotated_types import Ge, Gt

from embedpipe.dataflow import Span, WindowedSentence
from embedpipe.errors import EncoderError
from embedpipe.subwords.pairs import pair_windows
from embedpipe.subwords.windows import make_window, split

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray, SpecialSubwords, SubwordSentence, Window
    from embedpipe.subwords.windows import WindowSize


class Context(Protocol):
    """Makes the windows of each sentence."""

    joined: ClassVar[bool]
    """Whether a sentence is the continuation of the one before it."""

    @property
    def window(self) -> int | None:
        """Longest window, in subwords with special ones; ``None`` for as long as the encoder can take."""

    @property
    def overlap(self) -> int | None:
        """Subwords that two neighbouring windows of a long sentence share; ``None`` for a quarter of the window."""

    def windows(
        self, sentences: Iterable[SubwordSentence], size: WindowSize, special: SpecialSubwords
    ) -> Iterator[WindowedSentence]:
        """Yield each sentence with its windows, in order."""


@dataclass(frozen=True)
class SentenceContext:
    """The encoder sees one sentence, or one pair of texts, at a time; a longer one than it can take is covered by overlapping
    windows. Of a pair the shorter text is whole in each of them, unless it alone is longer than half a window.

    :param window: Longest window, in subwords with the special ones. Left out: as long as the encoder can take.
    :param overlap: Subwords that two neighbouring windows of a long sentence share. Left out: a quarter of the window.
    """

    window: Annotated[int, Gt(0)] | None = None
    overlap: Annotated[int, Ge(0)] | None = None
    joined: ClassVar[bool] = False

    def windows(
        self, sentences: Iterable[SubwordSentence], size: WindowSize, special: SpecialSubwords
    ) -> Iterator[WindowedSentence]:
        for sentence in sentences:
            yield WindowedSentence(sentence, own_windows(sentence, size, special))


@dataclass(frozen=True)
class DocumentContext:
    """The encoder sees a sentence in the middle of its own document, whose neighbouring sentences fill the window; a decoder
    sees it at the end of what stands before it.

    The neighbours stand there as they do in the document, with no special subword between sentences, which the encoder has
    never seen in such a place. A sentence longer than the window is covered by overlapping windows of its own.

    :param window: Longest window, in subwords with the special ones. Left out: as long as the encoder can take.
    :param overlap: Subwords that two neighbouring windows of a long sentence share. Left out: a quarter of the window.
    """

    window: Annotated[int, Gt(0)] | None = None
    overlap: Annotated[int, Ge(0)] | None = None
    joined: ClassVar[bool] = True

    def windows(
        self, sentences: Iterable[SubwordSentence], size: WindowSize, special: SpecialSubwords
    ) -> Iterator[WindowedSentence]:
        if size.content is None:
            raise EncoderError("context.window: this encoder sets no limit; say how many subwords of the document it shall see")
        for _, document in itertools.groupby(sentences, key=lambda sentence: sentence.sentence.document):
            yield from _document_windows(document, size.content, size, special)


def own_windows(sentence: SubwordSentence, size: WindowSize, special: SpecialSubwords) -> tuple[Window, ...]:
    """The windows of a sentence without anything around it; none if there is nothing at all to encode."""
    if sentence.num_first is not None:
        return pair_windows(sentence, size, special)
    ids = sentence.inputs
    if len(ids) + special.num_special == 0:
        return ()
    return tuple(
        make_window(ids[seen[0] : seen[1]], (kept[0] - seen[0], kept[1] - seen[0]), kept[0], special)
        for seen, kept in split(len(ids), size)
    )


def _document_windows(
    document: Iterable[SubwordSentence], content: int, size: WindowSize, special: SpecialSubwords
) -> Iterator[WindowedSentence]:
    """Hold back only as many sentences as can be in sight of one, however long the document is."""
    before = np.empty(0, dtype=np.int64)
    ahead: deque[SubwordSentence] = deque()
    num_ahead = 0
    for sentence in itertools.chain(document, [None]):
        if sentence is not None:
            _refuse_pair(sentence)
            ahead.append(sentence)
            num_ahead += len(sentence.subword_ids)
        while ahead and (sentence is None or num_ahead - len(ahead[0].subword_ids) >= content):
            current = ahead.popleft()
            num_ahead -= len(current.subword_ids)
            after = _first_subwords([] if size.is_causal else ahead, content)
            if len(current.subword_ids) > content:
                windows = own_windows(current, size, special)
            else:
                seen, kept = centre(current.inputs, before, after, content)
                windows = (make_window(seen, kept, 0, special),) if len(seen) + special.num_special else ()
            yield WindowedSentence(current, windows)
            before = np.concatenate([before, current.inputs])[-content:]


def _refuse_pair(sentence: SubwordSentence) -> None:
    if sentence.num_first is not None:
        raise EncoderError(
            f"context: {{type: document}}, but sentence {sentence.sentence.id!r} is a pair of texts (corpus.second), without "
            "neighbours; take context: {type: sentence}, or leave corpus.second out"
        )


def _first_subwords(sentences: Iterable[SubwordSentence], count: int) -> IntArray:
    pieces: list[IntArray] = [np.empty(0, dtype=np.int64)]
    for sentence in sentences:
        if count <= 0:
            break
        pieces.append(sentence.inputs[:count])
        count -= len(pieces[-1])
    return np.concatenate(pieces)


def centre(own: IntArray, before: IntArray, after: IntArray, content: int) -> tuple[IntArray, Span]:
    """Fill a window with what stands before and after; what one side does not need goes to the other.

    :returns: At most ``content`` subwords, and where among them are its own.
    """
    room = content - len(own)
    num_before = min(len(before), max(room // 2, room - len(after)))
    num_after = min(len(after), room - num_before)
    seen = np.concatenate([before[len(before) - num_before :], own, after[:num_after]])
    return seen, (num_before, num_before + len(own))
