"""The engine ``local``: this process, or several of this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from embedpipe.dataflow import ReadLog
from embedpipe.engines.crew import extract_at_once
from embedpipe.engines.loading import load, load_for_workers
from embedpipe.engines.local_workers import LocalProcesses
from embedpipe.engines.provenance import Done
from embedpipe.engines.shard_worker import ShardWork
from embedpipe.extraction import extract

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.engines.growth import OldPart
    from embedpipe.extraction import Embedder
    from embedpipe.job import EngineSettings
    from embedpipe.progress import Progress
    from embedpipe.store import StoreWriter


class LocalEngine:
    """Extracts on this machine; see :class:`embedpipe.engines.Engine`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def load(self, config: LoadedConfig) -> Embedder:
        """Everything where this process does the work, all but the encoder's weights where others do."""
        return load(config) if self._settings.workers == 1 else load_for_workers(config)

    def make_shards(
        self,
        config: LoadedConfig,
        embedder: Embedder,
        writer: StoreWriter,
        old_part: OldPart | None,
        on_progress: Callable[[Progress], None],
    ) -> Done:
        """Fill the writer's gaps, here or in processes."""
        num_workers = self._settings.workers
        if num_workers == 1:
            return _extract_here(config, embedder, writer, old_part, on_progress)
        processes = LocalProcesses(ShardWork(config, writer.maker, old_part), num_workers)
        return extract_at_once(processes, writer, num_workers, self._settings.max_retries, on_progress)


def _extract_here(
    config: LoadedConfig,
    embedder: Embedder,
    writer: StoreWriter,
    old_part: OldPart | None,
    on_progress: Callable[[Progress], None],
) -> Done:
    """Make all shards that a store lacks, in this process."""
    done = Done(encoder=dict(embedder.encoder.description))
    for start, stop in writer.gaps():
        done.log = ReadLog()
        sentences = config.job.corpus.sentences(done.log)
        if old_part is not None:
            sentences = old_part.checked(sentences, joined=embedder.context.joined)
        part = extract(sentences, embedder, writer, done.log, on_progress, start=start, stop=stop)
        done.num_words += part.num_words
        done.num_subwords += part.num_subwords
    return done
