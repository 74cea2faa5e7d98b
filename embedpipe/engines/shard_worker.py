"""Makes shards of the sentences that it is told, wherever it runs: reads the next, embeds one, and writes the last at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedpipe.engines.corpus_part import CorpusPart
from embedpipe.engines.loading import load
from embedpipe.free_memory import FreeMemory
from embedpipe.garbage import old_objects_left_alone
from embedpipe.processes import taken_apart
from embedpipe.side_by_side import one_ahead
from embedpipe.store import CheckedBlock

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.dataflow import Block, ReadLog, WindowedSentence
    from embedpipe.engines.growth import OldPart
    from embedpipe.engines.ranges import Mark, Range
    from embedpipe.extraction import Embedder
    from embedpipe.processes import Message
    from embedpipe.store import ShardMaker


@dataclass(frozen=True)
class ShardWork:
    """What every worker is given.

    :param old_part: Of a store that grows: what the corpus must still begin with.
    """

    config: LoadedConfig
    maker: ShardMaker
    old_part: OldPart | None


def serve_ranges(work: ShardWork, ranges: Iterable[Range], tell: Callable[[Message], None]) -> None:
    """Be a worker: load the encoder, tell ``("ready", description)``, and make the shards of ranges as they come.

    :param tell: As in :class:`ShardWorker`.
    :raises EncoderError: If the model is not there or cannot be loaded.
    :raises StoreError: If the store's folder is not there.
    """
    work.maker.check_folder()
    embedder = load(work.config)
    worker = ShardWorker(work, embedder, tell)
    tell(("ready", dict(embedder.encoder.description)))
    worker.run(ranges)


@dataclass(frozen=True, slots=True)
class ReadRange:
    """What there is to say of sentences that have been read, and are now embedded.

    :param begin_bytes: Where in the corpus's files they begin, about.
    :param end_bytes: Where they end, about.
    :param size_bytes: Of the files.
    :param mark: A place from which what comes after them can be read.
    :param log: What was irregular before ``stop``, as far as nobody had reported it.
    """

    start: int
    stop: int
    begin_bytes: int
    end_bytes: int
    size_bytes: int
    mark: Mark | None
    log: ReadLog


class ShardWorker:
    """Has an encoder.

    :param tell: Is called from several threads, never at once, with ``("read", ReadRange)`` before the sentences of a range are
        embedded; ``("embedded", (start, part, whole))`` of its subwords; ``("made", MadeShard)``; or ``("over", (start, log))``
        if the corpus has no such sentence, with what was irregular at its end; and ``("failed", error)``.
    """

    def __init__(self, work: ShardWork, embedder: Embedder, tell: Callable[[Message], None]) -> None:
        self._work = work
        self._embedder = embedder
        self._tell_now = tell
        self._telling = threading.Lock()
        joined = embedder.context.joined
        self._corpus = CorpusPart(work.config.job.corpus, work.old_part, joined=joined)

    @old_objects_left_alone()
    def run(self, ranges: Iterable[Range]) -> None:
        """Make the shards of ranges, until there is none any more or one has failed.

        :raises CorpusError: If the corpus cannot be read.
        """
        free_memory, making = FreeMemory(), None
        with ThreadPoolExecutor(1, thread_name_prefix="embedpipe-writer") as writing:
            for (start, sentences), _ in one_ahead(self._read(ranges)):

                def on_batch(part: int, whole: int, num_sentences: int, start: int = start) -> None:
                    free_memory.give_back()
                    self._tell("embedded", (start, part, whole))

                try:
                    block = self._embedder.embed_block(sentences, on_batch)
                except Exception as error:  # told at once: the thread that reads may wait for another range for ever
                    self._tell("failed", taken_apart(error))
                    return
                if making is not None:
                    making.result()  # no more than one waits to be written
                making = writing.submit(self._make, block, start)

    def _read(self, ranges: Iterable[Range]) -> Iterator[tuple[int, list[WindowedSentence]]]:
        corpus = self._corpus
        for range_ in ranges:
            start = range_.start
            first, sentences = corpus.at(range_)
            blocks = self._embedder.windowed_blocks(sentences, first=first, start=start, stop=range_.stop)
            block = next(blocks, None)
            if block is None:
                self._tell("over", (start, corpus.warnings(None)))
                continue
            stop = start + len(block)
            begin, end, mark = corpus.position(start), corpus.position(stop), corpus.mark(stop)
            self._tell("read", ReadRange(start, stop, begin, end, corpus.size_bytes, mark, corpus.warnings(stop)))
            yield start, block

    def _make(self, block: Block, start: int) -> None:
        try:
            made = self._work.maker.make(CheckedBlock.of(block, start, self._work.maker.views))
        except Exception as error:
            self._tell("failed", taken_apart(error))
        else:
            self._tell("made", made)

    def _tell(self, kind: str, content: Any) -> None:
        with self._telling:
            self._tell_now((kind, content))
