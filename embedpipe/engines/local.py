"""The engine ``local``: this process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from embedpipe.dataflow import ReadLog
from embedpipe.engines.disk import require_space
from embedpipe.engines.estimate import estimate_bytes
from embedpipe.engines.identity import Identity
from embedpipe.engines.provenance import describe_run
from embedpipe.errors import ConfigError, DamagedStoreError, NotAStoreError, StoreError
from embedpipe.extraction import extract
from embedpipe.store import StorePlace, StoreWriter, open_store

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.extraction import Embedder, Progress


class LocalEngine:
    """Extracts in this process; see :class:`embedpipe.engines.Engine`."""

    def run(
        self,
        config: LoadedConfig,
        path: str | os.PathLike[str],
        *,
        restart: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        started = time.time()
        identity = Identity.of(config)
        if not restart and _is_done(Path(path), identity):
            StorePlace(Path(path)).clear_up()
            return
        embedder = _load(config)
        settings = config.job.store
        with StoreWriter(
            path, embedder.view_infos, identity=identity.as_json, single_file=settings.single_file, restart=restart
        ) as writer:
            log, encoding_started = ReadLog(), time.time()
            kept = writer.shards
            needed = estimate_bytes(config.job.corpus, embedder) - sum(shard.size_bytes for shard in kept)
            require_space(path, max(0, needed))
            for start, stop in writer.gaps():
                log = ReadLog()
                sentences = config.job.corpus.sentences(log)
                extract(sentences, embedder, writer, log, on_progress or (lambda progress: None), start=start, stop=stop)
            times = {"started": started, "encoding_started": encoding_started, "ended": time.time()}
            writer.finish(
                {
                    "config": config.resolved,
                    "fingerprint": identity.fingerprint,
                    "inputs": identity.inputs,
                    "failures": writer.failures,
                }
                | describe_run(embedder, log, writer.shards, times, kept=kept)
            )


def _load(config: LoadedConfig) -> Embedder:
    try:
        return config.job.load()
    except ConfigError as error:
        raise ConfigError(config.source, error.mistakes) from error


def _is_done(path: Path, identity: Identity) -> bool:
    """Whether the store at a path is the one that would be made.

    :raises StoreError: If it is another one.
    """
    if not path.is_file():
        return False
    try:
        with open_store(path) as store:
            made_from = store.provenance
    except NotAStoreError:
        return False  # the writer refuses to replace it, and says so
    except DamagedStoreError as error:
        raise StoreError(f"writing {path}: a damaged store is there ({error}); replace it with --restart") from error
    if made_from.get("fingerprint") == identity.fingerprint:
        return True
    changes = identity.changes_since(made_from)
    raise StoreError(
        f"writing {path}: a finished store is there that was made otherwise:\n"
        + "\n".join(f"  {change}" for change in changes)
        + "\nGive another --output, or replace it with --restart"
    )
