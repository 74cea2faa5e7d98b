"""How fast a real encoder is on a small part of a corpus."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from embedpipe.batching import collate, group_equal
from embedpipe.blocks import size_in_bytes
from embedpipe.errors import EncoderError
from embedpipe.reduction import BlockReduction

if TYPE_CHECKING:
    from embedpipe.dataflow import WindowedSentence
    from embedpipe.extraction import Embedder

_MOST_SENTENCES = 8192
_MOST_SUBWORDS = 2**22
_LEAST_SENTENCES = 16
_LEAST_BATCHES = 3


class EverySoMany:
    """Keeps every k-th sentence of a stream, where k doubles whenever there are too many: an even sample of any corpus."""

    def __init__(self) -> None:
        self.sentences: list[WindowedSentence] = []
        self._step = 1
        self._num_seen = 0
        self._num_subwords = 0

    def offer(self, sentence: WindowedSentence) -> None:
        """Show it the next sentence."""
        if self._num_seen % self._step == 0:
            self.sentences.append(sentence)
            self._num_subwords += window_subwords(sentence)
            if self._is_too_much():
                self.sentences = self.sentences[::2]
                self._num_subwords = sum(map(window_subwords, self.sentences))
                self._step *= 2
        self._num_seen += 1

    def _is_too_much(self) -> bool:
        count = len(self.sentences)
        return count > _MOST_SENTENCES or (count > _LEAST_SENTENCES and self._num_subwords > _MOST_SUBWORDS)


def window_subwords(sentence: WindowedSentence) -> int:
    """Subwords that the encoder computes for a sentence."""
    return sum(len(window.input_ids) for window in sentence.windows)


def calibrate(embedder: Embedder, sample: Sequence[WindowedSentence], seconds: float = 4.0) -> float | None:
    """Time the forward pass, combination and pooling on batches as a block of the extraction has them.

    The batches are of all lengths that the sample has. They are taken in an order in which the first few are spread over the
    lengths as all of them are, so that a slow encoder can stop early; three are run in any case.

    :param sample: Sentences from all over the corpus.
    :param seconds: For about so long.
    :returns: Subwords a second, those of the windows counted and padding not; ``None`` if there is nothing to encode.
    :raises EncoderError: If the encoder cannot take a sentence.
    :raises NonFiniteError: If a vector is not finite.
    """
    block = _as_much_as_a_block(embedder, sample)
    reduction = BlockReduction(
        block,
        embedder.views,
        embedder.view_infos,
        embedder.encoder.num_layers,
        embedder.tokenizer.special,
        stops=embedder.on_error == "stop",
    )
    groups = group_equal(reduction.windows)
    lengths = [len(reduction.windows[first].input_ids) for first, *_ in groups]
    batches = [[groups[index] for index in batch] for batch in embedder.plan(lengths)]
    if not batches:
        return None
    deadline = time.perf_counter() + seconds
    _warm_up(embedder, reduction, batches[len(batches) // 2])
    batches = [batches[index] for index in _spread(len(batches))]
    num_subwords, started = 0, time.perf_counter()
    with contextlib.closing(embedder.run_batches(batches, reduction)) as runs:
        for count, (batch, _) in enumerate(zip(batches, runs, strict=True), 1):
            num_subwords += sum(len(reduction.windows[each].input_ids) for group in batch for each in group)
            seconds = time.perf_counter() - started
            if count >= _LEAST_BATCHES and time.perf_counter() > deadline:
                break  # what is under way counts neither as done nor as time
    return num_subwords / max(seconds, 1e-9)


def _as_much_as_a_block(embedder: Embedder, sample: Sequence[WindowedSentence]) -> Sequence[WindowedSentence]:
    """Thin a sample out until it takes no more memory than a block of the extraction."""
    num_bytes = sum(map(size_in_bytes(embedder.view_infos), sample))
    return sample[:: max(1, -(-num_bytes // embedder.block_bytes))]


def _warm_up(embedder: Embedder, reduction: BlockReduction, groups: Sequence[Sequence[int]]) -> None:
    """The first pass of a process is slow."""
    batch = collate([reduction.windows[first] for first, *_ in groups], pad_id=embedder.tokenizer.special.pad_id)
    with contextlib.suppress(EncoderError):  # if it matters, it comes again
        embedder.encoder.encode(batch, reduction.layers)


def _spread(count: int) -> list[int]:
    """The numbers from 0 to ``count``, in an order whose every beginning is spread over all of them."""
    width = max(1, (count - 1).bit_length())
    backwards = (int(f"{index:0{width}b}"[::-1], 2) for index in range(2**width))
    return [index for index in backwards if index < count]
