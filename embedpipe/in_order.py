"""Sentences through an encoder that carries a state from batch to batch: in the order of the corpus, in batches of one size.

The batches are counted from the first sentence of the corpus, so that they are the same whether a run was interrupted or not:
what is stored already goes through the encoder again, for the state that it leaves. A block holds whole batches.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from embedpipe.batching import collate
from embedpipe.blocks import cut, size_in_bytes, to_block
from embedpipe.dataflow import Block, Encoder, HiddenStates, Sentence, WindowedSentence
from embedpipe.errors import EncoderError
from embedpipe.reduction import BlockReduction

if TYPE_CHECKING:
    from embedpipe.extraction import Embedder, OnBatch
    from embedpipe.subwords import Context


class StatefulEncoder(Encoder, Protocol):
    """An encoder whose rows go on from the state that the same rows of the batch before have left."""

    @property
    def batch_sentences(self) -> int | None:
        """Consecutive sentences of a batch; ``None`` where it carries no state after all."""

    def start_over(self) -> None:
        """Forget the state: the next batch is the first one of a corpus."""


def batch_sentences(encoder: Encoder) -> int | None:
    """Consecutive sentences of a batch of an encoder that carries a state; ``None`` for any other."""
    size: int | None = getattr(encoder, "batch_sentences", None)
    return size


def mistakes_in_order(context: Context, on_error: str) -> Iterator[str]:
    """What makes no sense with an encoder that carries a state, a line each."""
    if context.joined:
        yield "context.type: an encoder with stateful: true goes from sentence to sentence by itself; take the type sentence"
    elif context.window is not None:
        yield "context.window: an encoder with stateful: true takes whole sentences, once each; leave it out"
    if on_error != "stop":
        yield (
            "on_error: 'record' is not for an encoder with stateful: true, as a sentence that fails leaves no state to those "
            "after it; take 'stop'"
        )


def embed_in_order(
    embedder: Embedder,
    encoder: StatefulEncoder,
    sentences: Iterable[Sentence],
    on_batch: OnBatch,
    start: int,
    stop: int | None,
) -> Iterator[Block]:
    """What :meth:`~embedpipe.extraction.Embedder.embed` does, for an encoder that carries a state."""
    size = encoder.batch_sentences or 1
    subwords = embedder.tokenizer.tokenize(sentences)
    windowed = embedder.context.windows(subwords, embedder.window_size, embedder.tokenizer.special)
    encoder.start_over()
    first = start - start % size
    for batch in _in_batches(itertools.islice(windowed, first), size):
        _encode(embedder, batch)
    num_stored = start - first  # of the first batch
    batches = _in_batches(itertools.islice(windowed, None if stop is None else stop - first), size)
    for block in cut(batches, _size_of_batch(embedder), embedder.block_bytes):
        if sum(map(len, block)) > num_stored:
            yield _embed_block(embedder, block, num_stored, on_batch)
        num_stored = 0


def _embed_block(
    embedder: Embedder, batches: Sequence[Sequence[WindowedSentence]], num_stored: int, on_batch: OnBatch
) -> Block:
    """Embed whole batches.

    :param num_stored: Sentences at the beginning that are only encoded.
    """
    block = [sentence for batch in batches for sentence in batch][num_stored:]
    special = embedder.tokenizer.special
    reduction = BlockReduction(block, embedder.views, embedder.view_infos, embedder.encoder.num_layers, special)
    num_subwords, num_done, taken = sum(len(sentence.subwords.subword_ids) for sentence in block), 0, 0
    for batch in batches:
        states = {layer: state[num_stored:] for layer, state in _encode(embedder, batch).items()}
        chosen = range(taken, taken + len(batch) - num_stored)
        num_done += reduction.take([[index] for index in chosen], states)
        on_batch(num_done, num_subwords, len(block))
        taken, num_stored = chosen.stop, 0
    return to_block(block, reduction.rows, reduction.failures)


def _encode(embedder: Embedder, batch: Sequence[WindowedSentence]) -> HiddenStates:
    windows = [window for sentence in batch for window in sentence.windows]
    layers = {layer for info in embedder.view_infos.values() for layer in info.layers}
    try:
        return embedder.encoder.encode(collate(windows, pad_id=embedder.tokenizer.special.pad_id), layers)
    except EncoderError as error:
        ids = [sentence.subwords.sentence.id for sentence in batch]
        raise EncoderError(f"embedding the batch of sentences {ids[0]!r} to {ids[-1]!r}: {error}") from error


def _in_batches(sentences: Iterable[WindowedSentence], size: int) -> Iterator[list[WindowedSentence]]:
    rest = iter(sentences)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def _size_of_batch(embedder: Embedder) -> Callable[[Sequence[WindowedSentence]], int]:
    size = size_in_bytes(embedder.view_infos)
    return lambda batch: sum(map(size, batch))
