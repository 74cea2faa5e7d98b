"""The flow of :mod:`embedpipe.dataflow`, stage by stage. Read this file second.

(The module is not called ``extract`` because ``embedpipe.extract`` is the function that users call.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from embedpipe.batching import Batching, collate, group_equal, plan_batches
from embedpipe.blocks import cut, size_in_bytes, skip_to, to_block
from embedpipe.dataflow import Block, Encoder, ReadLog, Sentence, ViewInfo, WindowedSentence
from embedpipe.errors import ConfigError, EncoderError
from embedpipe.free_memory import FreeMemory
from embedpipe.garbage import old_objects_left_alone
from embedpipe.gpu import BATCHES_AT_A_TIME, own_stream
from embedpipe.in_order import batch_sentences, embed_in_order, mistakes_in_order
from embedpipe.layers import combined_size
from embedpipe.progress import Positions, Progress
from embedpipe.reduction import BlockReduction
from embedpipe.side_by_side import one_ahead, run_side_by_side
from embedpipe.subwords import SentenceContext, WindowSize, choose_window_size

if TYPE_CHECKING:
    from embedpipe.in_order import StatefulEncoder
    from embedpipe.store import StoreWriter
    from embedpipe.subwords import Context, Tokenizer
    from embedpipe.views import View

DEFAULT_BLOCK_BYTES = 256 * 2**20

_MOST_THREADS = 8
"""That encode; each runs some Python, which only one can at a time."""

OnBatch: TypeAlias = Callable[[int, int, int], None]
"""Called with how many subwords of a block are done, how many it has, and how many sentences."""


@dataclass(frozen=True)
class Embedder:
    """Everything between a sentence and its vectors: tokenizer, context, encoder, views.

    :param dtype: Of the vectors: ``"float32"`` or ``"float16"``.
    :param block_bytes: What a block takes in the store at most, unless one sentence alone takes more; it is held in memory.
    :param on_error: What to do with a sentence that the encoder cannot take, or whose vectors are not finite: ``"stop"``, or
        ``"record"`` it, with zero vectors, a flag and the reason.
    """

    tokenizer: Tokenizer
    encoder: Encoder
    views: Mapping[str, View]
    context: Context = field(default_factory=SentenceContext)
    batching: Batching = field(default_factory=Batching)
    dtype: str = "float32"
    block_bytes: int = DEFAULT_BLOCK_BYTES
    on_error: Literal["stop", "record"] = "stop"

    def __post_init__(self) -> None:
        """Find out before the first sentence whether the encoder has what the views ask for."""
        settled = {name: view.settled(is_causal=self.is_causal) for name, view in self.views.items()}
        object.__setattr__(self, "views", settled)
        mistakes = [mistake for name, view in self.views.items() if (mistake := self._mistake(name, view))]
        if batch_sentences(self.encoder) is not None:
            mistakes += mistakes_in_order(self.context, self.on_error)
        if mistakes:
            raise ConfigError("the config", mistakes)
        _ = self.window_size

    def _mistake(self, name: str, view: View) -> str | None:
        try:
            combined_size(view.layers, self.layer_sizes)
        except ValueError as error:
            return f"views.{name}.layers: {error}"
        if view.pooling == "cls":
            special = self.tokenizer.special
            if special.cls_index is None:
                return f"views.{name}.pooling: 'cls', but this encoder has no classification subword; take mean, max or last"
            if self.is_causal and special.cls_index < len(special.prefix):
                return f"views.{name}.pooling: 'cls', but what this encoder has in front sees nothing of the text; take last"
        return None

    @property
    def is_causal(self) -> bool:
        """Whether the encoder, by its attribute of this name, computes a subword from those before it only."""
        return getattr(self.encoder, "is_causal", False)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Width of each layer, 0 being the embedding layer; where they differ, the encoder has an attribute of this name."""
        return getattr(self.encoder, "layer_sizes", (self.encoder.hidden_size,) * (self.encoder.num_layers + 1))

    @property
    def window_size(self) -> WindowSize:
        """How much of a text the encoder sees at once."""
        limits = (self.encoder.max_window, self.tokenizer.max_window)
        return choose_window_size(
            self.context.window,
            self.context.overlap,
            limits=limits,
            special=self.tokenizer.special,
            is_causal=self.is_causal,
        )

    @property
    def num_threads(self) -> int:
        """Batches that are encoded side by side: on a CPU one for each core that torch may use, on a GPU two, as far as the
        encoder, by its attribute ``is_thread_safe``, allows it.
        """
        import torch

        if not getattr(self.encoder, "is_thread_safe", False):
            return 1
        if self._on_cpu:
            return min(_MOST_THREADS, torch.get_num_threads())
        return BATCHES_AT_A_TIME if self._device.startswith("cuda") else 1

    @property
    def _on_cpu(self) -> bool:
        return self._device == "cpu"

    @property
    def _device(self) -> str:
        return str(self.encoder.description.get("device", "cpu"))

    @property
    def view_infos(self) -> dict[str, ViewInfo]:
        """What the store says of each view."""
        num_layers, hidden_size = self.encoder.num_layers, self.encoder.hidden_size
        return {
            name: view.info(num_layers=num_layers, hidden_size=hidden_size, dtype=self.dtype, layer_sizes=self.layer_sizes)
            for name, view in self.views.items()
        }

    def embed(
        self, sentences: Iterable[Sentence], on_batch: OnBatch | None = None, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Block]:
        """Let sentences flow through all stages.

        :param sentences: From the first one of the corpus on.
        :param on_batch: Called after each batch.
        :param start: The first sentence to embed; those before it are only looked at where they are its context.
        :param stop: The first sentence that is not to be embedded any more.
        :returns: Blocks of consecutive sentences, in order, nothing left out.
        :raises EncoderError: If the encoder cannot take a sentence, unless ``on_error`` is ``"record"``.
        :raises NonFiniteError: If a vector is not finite in ``dtype``, likewise; names view, layer and sentence.
        """
        on_batch = on_batch or (lambda part, whole, num_sentences: None)
        if batch_sentences(self.encoder) is not None:
            yield from embed_in_order(self, cast("StatefulEncoder", self.encoder), sentences, on_batch, start, stop)
            return
        for block, is_last in one_ahead(self.windowed_blocks(sentences, start=start, stop=stop)):
            yield replace(self.embed_block(block, on_batch), is_last=is_last())

    def windowed_blocks(
        self, sentences: Iterable[Sentence], *, first: int = 0, start: int = 0, stop: int | None = None
    ) -> Iterator[list[WindowedSentence]]:
        """Cut sentences into subwords, windows and blocks: all that comes before the encoder.

        :param first: The number of the first of ``sentences``; with context, the document of ``start`` must begin there at the
            latest.
        :returns: Blocks of consecutive sentences from ``start`` to ``stop``. Where one ends depends on where it starts and on
            its own sentences alone.
        """
        skipped, rest = skip_to(sentences, start - first, joined=self.context.joined)
        subwords = self.tokenizer.tokenize(rest, joined=self.context.joined)
        windowed = self.context.windows(subwords, self.window_size, self.tokenizer.special)
        begin = first + skipped
        wanted = itertools.islice(windowed, start - begin, None if stop is None else stop - begin)
        yield from cut(wanted, size_in_bytes(self.view_infos), self.block_bytes)

    def plan(self, lengths: Sequence[int]) -> list[list[int]]:
        """The batches of a block.

        :param lengths: Subwords of its windows.
        :returns: Indices into ``lengths``, each exactly once.
        """
        budget = self.batching.budget(sum(lengths), on_cpu=self._on_cpu)
        return plan_batches(lengths, budget, multiple=getattr(self.encoder, "batch_multiple", 1))

    def embed_block(self, block: Sequence[WindowedSentence], on_batch: OnBatch) -> Block:
        """Run a block through the encoder.

        :param on_batch: As in :meth:`embed`.
        :raises EncoderError: As :meth:`embed` does.
        """
        reduction = BlockReduction(
            block, self.views, self.view_infos, self.encoder.num_layers, self.tokenizer.special, stops=self.on_error == "stop"
        )
        num_subwords, num_done = sum(len(sentence.subwords.subword_ids) for sentence in block), 0
        groups = group_equal(reduction.windows)
        lengths = [len(reduction.windows[first].input_ids) for first, *_ in groups]
        batches = [[groups[index] for index in chosen] for chosen in self.plan(lengths)]
        for num_more in self.run_batches(batches, reduction):
            num_done += num_more
            on_batch(num_done, num_subwords, len(block))
        return to_block(block, reduction.rows, reduction.failures)

    def run_batches(self, batches: Sequence[Sequence[Sequence[int]]], reduction: BlockReduction) -> Generator[int, None, None]:
        """Run batches, several at a time.

        :param batches: Groups of equal windows; see :meth:`encode_batch`.
        :returns: The number of subwords that are done, batch by batch.
        """
        device = self._device

        def run(groups: Sequence[Sequence[int]]) -> int:
            with own_stream(device):
                return self.encode_batch(groups, reduction)

        yield from run_side_by_side(run, batches, self.num_threads)

    def encode_batch(self, groups: Sequence[Sequence[int]], reduction: BlockReduction) -> int:
        """Run one batch; what the encoder cannot take (out of memory) is halved, down to a sentence's window alone.

        :param groups: Of equal windows, which are encoded once.
        :returns: The number of subwords that are done.
        """
        batch = collate([reduction.windows[first] for first, *_ in groups], pad_id=self.tokenizer.special.pad_id)
        try:
            hidden_states = self.encoder.encode(batch, reduction.layers)
        except EncoderError as error:
            if len(groups) == 1:
                return sum(reduction.fail(index, error) for index in groups[0])
        else:
            return reduction.take(groups, hidden_states)
        middle = len(groups) // 2
        return self.encode_batch(groups[:middle], reduction) + self.encode_batch(groups[middle:], reduction)


@old_objects_left_alone()
def extract(
    sentences: Iterable[Sentence],
    embedder: Embedder,
    writer: StoreWriter,
    log: ReadLog,
    on_progress: Callable[[Progress], None],
    *,
    start: int = 0,
    stop: int | None = None,
) -> Progress:
    """Embed the sentences from ``start`` to ``stop`` and seal a shard for each block.

    A shard is written while the next block is on its way through the encoder.

    :param sentences: From the first one of the corpus on.
    :param log: The one that the sentences' reader reports to.
    :returns: What was embedded, words and subwords; and how many sentences there are up to its end.
    """
    read = Positions(sentences, log, start)
    done = Progress(start, 0, 0, 0, log.size_bytes)
    free_memory = FreeMemory()

    def on_batch(part: int, whole: int, num_sentences: int) -> None:
        free_memory.give_back()
        on_progress(replace(done.within(part, whole, read.after(num_sentences)), size_bytes=log.size_bytes))

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedpipe-writer") as thread:
        sealing: Future[object] | None = None
        for block in embedder.embed(read, on_batch, start=start, stop=stop):
            if sealing is not None:
                sealing.result()
            sealing = thread.submit(writer.append, block, done.num_sentences)
            done = replace(done.after(block, read.after(len(block.sentences))), size_bytes=log.size_bytes)
            read.forget(len(block.sentences))
            on_progress(done)
            del block  # the writer lets go of it while it writes
        if sealing is not None:
            sealing.result()
    return done
