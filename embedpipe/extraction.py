"""The flow of :mod:`embedpipe.dataflow`, stage by stage. Read this file second.

(The module is not called ``extract`` because ``embedpipe.extract`` is the function that users call.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedpipe.batching import Batching, collate, plan_batches
from embedpipe.dataflow import Block, Encoder, ReadLog, Sentence, SentenceFlag, ViewInfo, WindowedSentence, WordFlag
from embedpipe.errors import ConfigError
from embedpipe.reduction import BlockReduction
from embedpipe.subwords import SentenceContext, SubwordTokenizer, WindowSize, choose_window_size

if TYPE_CHECKING:
    from embedpipe.store import StoreWriter
    from embedpipe.subwords import Context
    from embedpipe.views import View

_BLOCK_BYTES = 256 * 2**20
"""Vectors of one block, which are held in memory until they are written."""
_BLOCK_SENTENCES = 65_536


OnBatch: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an extraction is. ``done_bytes`` of ``size_bytes`` of the corpus's files are embedded."""

    num_sentences: int
    num_words: int
    num_subwords: int
    done_bytes: int
    size_bytes: int

    def within(self, log: ReadLog, part: int, whole: int) -> Progress:
        """How far it is when ``part`` of the ``whole`` block's subwords, which is read up to ``log``, are embedded."""
        ahead = (log.position_bytes - self.done_bytes) * part // max(1, whole)
        return replace(
            self, num_subwords=self.num_subwords + part, done_bytes=self.done_bytes + ahead, size_bytes=log.size_bytes
        )


@dataclass(frozen=True)
class Embedder:
    """Everything between a sentence and its vectors: tokenizer, context, encoder, views.

    :param dtype: Of the vectors: ``"float32"`` or ``"float16"``.
    """

    tokenizer: SubwordTokenizer
    encoder: Encoder
    views: Mapping[str, View]
    context: Context = field(default_factory=SentenceContext)
    batching: Batching = field(default_factory=Batching)
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Find out before the first sentence whether the encoder has what the views ask for."""
        mistakes = [mistake for name, view in self.views.items() if (mistake := self._mistake(name, view))]
        if mistakes:
            raise ConfigError("the config", mistakes)
        _ = self.window_size

    def _mistake(self, name: str, view: View) -> str | None:
        try:
            view.layers.needed_layers(self.encoder.num_layers)
        except ValueError as error:
            return f"views.{name}.layers: {error}"
        if view.pooling == "cls" and self.tokenizer.special.cls_index is None:
            return f"views.{name}.pooling: 'cls', but this encoder has no classification subword; take mean or max"
        return None

    @property
    def window_size(self) -> WindowSize:
        """How much of a text the encoder sees at once."""
        limits = (self.encoder.max_window, self.tokenizer.max_window)
        return choose_window_size(self.context.window, self.context.overlap, limits=limits, special=self.tokenizer.special)

    @property
    def view_infos(self) -> dict[str, ViewInfo]:
        """What the store says of each view."""
        num_layers, hidden_size = self.encoder.num_layers, self.encoder.hidden_size
        return {
            name: view.info(num_layers=num_layers, hidden_size=hidden_size, dtype=self.dtype)
            for name, view in self.views.items()
        }

    def embed(self, sentences: Iterable[Sentence], on_batch: OnBatch | None = None) -> Iterator[Block]:
        """Let sentences flow through all stages.

        :param on_batch: Called after each batch with the number of subwords of its block that are done, and that it has.
        :returns: Blocks of consecutive sentences, in order, nothing left out.
        :raises EncoderError: If the encoder cannot take a batch.
        :raises NonFiniteError: If a vector is not finite in ``dtype``; names view, layer and sentence.
        """
        subwords = self.tokenizer.tokenize(sentences, joined=self.context.joined)
        windowed = self.context.windows(subwords, self.window_size, self.tokenizer.special)
        for block in _blocks(windowed, self._block_subwords):
            yield self._embed_block(block, on_batch or (lambda part, whole: None))

    def _embed_block(self, block: Sequence[WindowedSentence], on_batch: OnBatch) -> Block:
        reduction = BlockReduction(block, self.views, self.view_infos, self.encoder.num_layers, self.tokenizer.special)
        windows = reduction.windows
        num_subwords, num_done = sum(len(sentence.subwords.subword_ids) for sentence in block), 0
        for chosen in plan_batches([len(window.input_ids) for window in windows], self.batching.budget_subwords):
            batch = collate([windows[index] for index in chosen], pad_id=self.tokenizer.special.pad_id)
            hidden_states = self.encoder.encode(batch, reduction.layers)
            num_done += reduction.take(chosen, hidden_states)
            on_batch(num_done, num_subwords)
        return _to_block(block, reduction.rows)

    @property
    def _block_subwords(self) -> int:
        """Subwords whose vectors fill a block, if every one were a word."""
        sizes = [np.prod(info.row_shape) * np.dtype(info.dtype).itemsize for info in self.view_infos.values()]
        return max(self.batching.budget_subwords, int(_BLOCK_BYTES // max(1, sum(sizes))))


def extract(
    sentences: Iterable[Sentence],
    embedder: Embedder,
    writer: StoreWriter,
    log: ReadLog,
    on_progress: Callable[[Progress], None],
) -> Progress:
    """Embed a corpus and append it to a store, block by block.

    :param log: The one that the sentences' reader reports to.
    :returns: How much there was in all.
    """
    done = Progress(0, 0, 0, 0, log.size_bytes)

    def on_batch(part: int, whole: int) -> None:
        on_progress(done.within(log, part, whole))

    for block in embedder.embed(sentences, on_batch):
        writer.append(block)
        done = Progress(
            done.num_sentences + len(block.sentences),
            done.num_words + len(block.word_flags),
            done.num_subwords + len(block.subword_ids),
            log.position_bytes,
            log.size_bytes,
        )
        on_progress(done)
    return done


def _blocks(sentences: Iterable[WindowedSentence], max_subwords: int) -> Iterator[list[WindowedSentence]]:
    """Cut a stream into blocks by a rule that depends on the sentences alone."""
    block: list[WindowedSentence] = []
    room = max_subwords
    for sentence in sentences:
        size = len(sentence.subwords.subword_ids)
        if block and (size > room or len(block) == _BLOCK_SENTENCES):
            yield block
            block, room = [], max_subwords
        block.append(sentence)
        room -= size
    if block:
        yield block


def _to_block(block: Sequence[WindowedSentence], views: Mapping[str, np.ndarray]) -> Block:
    subwords = [sentence.subwords for sentence in block]
    return Block(
        sentences=tuple(each.sentence for each in subwords),
        sentence_flags=np.array([_sentence_flags(sentence) for sentence in block], dtype=np.int64),
        word_flags=np.concatenate([each.word_flags for each in subwords]),
        num_subwords=np.array([len(each.subword_ids) for each in subwords], dtype=np.int64),
        subword_ids=np.concatenate([each.subword_ids for each in subwords]),
        word_offsets=np.concatenate([each.word_offsets for each in subwords]),
        views=views,
    )


def _sentence_flags(sentence: WindowedSentence) -> SentenceFlag:
    subwords = sentence.subwords
    flags = subwords.sentence.flags
    if not len(subwords.word_flags):
        flags |= SentenceFlag.EMPTY
    if len(sentence.windows) > 1:
        flags |= SentenceFlag.WINDOWED
    if (subwords.word_flags & int(WordFlag.NO_SUBWORDS)).any():
        flags |= SentenceFlag.WORDS_WITHOUT_SUBWORDS
    return flags
