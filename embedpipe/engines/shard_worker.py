"""Makes shards of the sentences that it is told, wherever it runs: reads the next, embeds one, and writes the last at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedpipe.blocks import ReadOn
from embedpipe.dataflow import ReadLog
from embedpipe.free_memory import FreeMemory
from embedpipe.processes import taken_apart
from embedpipe.side_by_side import one_ahead
from embedpipe.store import CheckedBlock

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.dataflow import Block, Sentence, WindowedSentence
    from embedpipe.engines.growth import OldPart
    from embedpipe.engines.ranges import Range
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


@dataclass(frozen=True, slots=True)
class ReadRange:
    """What there is to say of sentences that have been read, and are now embedded.

    :param num_bytes: Of the corpus's files.
    """

    start: int
    stop: int
    num_bytes: int
    size_bytes: int


class ShardWorker:
    """Has an encoder.

    :param tell: Is called from several threads, never at once, with ``("read", ReadRange)`` before the sentences of a range are
        embedded; ``("embedded", (start, part, whole))`` of its subwords; ``("made", MadeShard)``; or ``("over", (start, log))``
        if the corpus has no such sentence; and ``("failed", error)``.
    """

    def __init__(self, work: ShardWork, embedder: Embedder, tell: Callable[[Message], None]) -> None:
        self._work = work
        self._embedder = embedder
        self._tell_now = tell
        self._telling = threading.Lock()
        self._start_over()

    def _start_over(self) -> None:
        """Read the corpus from its beginning."""
        self._log, self._at, joined = ReadLog(), 0, self._embedder.context.joined
        sentences = self._work.config.job.corpus.sentences(self._log)
        if self._work.old_part is not None:
            sentences = self._work.old_part.checked(sentences, joined=joined)
        self._corpus = ReadOn(self._located(sentences), joined=joined)
        self._ends = {-1: 0}

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
        for start, stop in ranges:
            if start < self._at:  # someone else's that was lost
                self._start_over()
            first, sentences = self._corpus.at(start)
            self._at, self._ends = start, {number: end for number, end in self._ends.items() if number >= start - 1}
            block = next(self._embedder.windowed_blocks(sentences, first=first, start=start, stop=stop), None)
            if block is None:
                self._tell("over", (start, self._log))
                continue
            stop = start + len(block)
            self._tell("read", ReadRange(start, stop, self._ends[stop - 1] - self._ends[start - 1], self._log.size_bytes))
            yield start, block

    def _located(self, sentences: Iterable[Sentence]) -> Iterator[Sentence]:
        """The same, and in ``_ends`` where in the files each of them ends, in bytes."""
        for number, sentence in enumerate(sentences):
            self._ends[number] = self._log.position_bytes
            yield sentence

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
