"""The engine ``local``: this process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from embedpipe.config import fingerprint, sha256_of
from embedpipe.dataflow import ReadLog
from embedpipe.engines.provenance import describe_run
from embedpipe.errors import ConfigError, DamagedStoreError, NotAStoreError, StoreError
from embedpipe.extraction import extract
from embedpipe.store import StoreWriter, open_store

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.extraction import Progress


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
        job = config.job
        started = time.time()
        model_files = job.encoder.find().all
        inputs = {
            "model": {file.name: sha256_of(file) for file in model_files},
            "corpus": {str(file): sha256_of(file) for file in job.corpus.files},
        }
        identity = fingerprint(
            config.resolved, {f"{role}/{name}": sha for role in inputs for name, sha in inputs[role].items()}
        )
        if not restart and _is_done(Path(path), identity):
            return
        try:
            embedder = job.load()
        except ConfigError as error:
            raise ConfigError(config.source, error.mistakes) from error
        log = ReadLog()
        encoding_started = time.time()
        with StoreWriter(path, embedder.view_infos, overwrite=restart) as writer:
            done = extract(job.corpus.sentences(log), embedder, writer, log, on_progress or (lambda progress: None))
            times = {"started": started, "encoding_started": encoding_started, "ended": time.time()}
            provenance = {"config": config.resolved, "fingerprint": identity, "inputs": inputs}
            writer.finish(provenance | describe_run(embedder, log, done, times))


def _without_folders(inputs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Where a file is does not matter, only its place in the order and what is in it."""
    return {f"{role}/{number}": sha for role, files in inputs.items() for number, sha in enumerate(files.values())}


def _is_done(path: Path, identity: str) -> bool:
    """Whether the store at a path is the one that would be made.

    :raises StoreError: If it is another one.
    """
    if not path.is_file():
        return False
    try:
        with open_store(path) as store:
            if store.provenance.get("fingerprint") == identity:
                return True
    except NotAStoreError:
        return False  # the writer refuses to replace it, and says so
    except DamagedStoreError as error:
        raise StoreError(f"writing {path}: a damaged store is there ({error}); replace it with --restart") from error
    raise StoreError(
        f"writing {path}: a store of another config, corpus or model is there; "
        "give another --output, or replace it with --restart"
    )
