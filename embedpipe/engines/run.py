"""One run of a job, whichever engine makes the shards: what there is already, what is missing, and one store at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedpipe.config import settled
from embedpipe.engines.budget import with_budget
from embedpipe.engines.disk import require_space
from embedpipe.engines.estimate import estimate_bytes
from embedpipe.engines.growth import OldPart, corpus_sizes, obstacles
from embedpipe.engines.identity import Identity, stored_identity
from embedpipe.engines.local import LocalEngine
from embedpipe.engines.provenance import describe_run, earlier_runs
from embedpipe.engines.ray_data import RayEngine
from embedpipe.errors import DamagedStoreError, NotAStoreError, StoreError
from embedpipe.job import Ray
from embedpipe.store import StorePlace, StoreWriter, check_intact, open_store

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.engines.engine import Engine
    from embedpipe.extraction import Embedder
    from embedpipe.job import EngineSettings
    from embedpipe.progress import Progress
    from embedpipe.store import Mirror, ShardRecord


def engine_of(settings: EngineSettings) -> Engine:
    """The engine that a config asks for."""
    return RayEngine(settings) if isinstance(settings, Ray) else LocalEngine(settings)


def run(
    config: LoadedConfig,
    path: str | os.PathLike[str],
    *,
    restart: bool = False,
    append: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    mirror: Mirror | None = None,
) -> bool:
    """Extract into ``path``: a whole store, or none.

    :param restart: Replace a store that is there. Without, one with the same fingerprint is left as it is, and any other is an
        error.
    :param append: Add to a store that is there what stands behind its part of the corpus; nothing else may have changed.
    :param mirror: Where the store is brought to from ``path``, shard by shard.
    :returns: Whether anything was to be done.
    """
    started, path, config = time.time(), Path(path), settled(config)
    made_from = None if restart else _made_from(path)
    config = with_budget(config, lambda: None if restart else _identity_there(path, made_from))
    identity = Identity.of(config, sizes_before=corpus_sizes(made_from or {}))
    if made_from is not None:
        if made_from.get("fingerprint") == identity.fingerprint:
            StorePlace(path).clear_up()
            _require_intact(path, mirror)
            return False
        _require_growth(path, identity, made_from, append=append)
        if mirror is not None:
            mirror.fetch_shards(_shards_of(path))
    with engine_of(config.job.engine) as engine:
        embedder = engine.load(config)
        with StoreWriter(
            path,
            embedder.view_infos,
            identity=identity.as_json,
            single_file=config.job.store.single_file,
            restart=restart,
            grows_from=None if made_from is None else stored_identity(made_from),
            on_commit=(lambda record: None) if mirror is None else mirror.commit,
        ) as writer:
            if mirror is not None:
                for shard in writer.shards:  # made before; maybe not brought up
                    mirror.commit(shard)
            _complete(writer, config, engine, embedder, identity, made_from, started=started, on_progress=on_progress)
    return True


def _complete(
    writer: StoreWriter,
    config: LoadedConfig,
    engine: Engine,
    embedder: Embedder,
    identity: Identity,
    made_from: Mapping[str, Any] | None,
    *,
    started: float,
    on_progress: Callable[[Progress], None],
) -> None:
    """Make the shards that are missing, and one store of all.

    :param made_from: The provenance of the finished store that grows.
    :param started: When the run was, in seconds since the epoch.
    """
    old_part = None if made_from is None else OldPart.of_store(writer.path, made_from)
    encoding_started, gaps = time.time(), writer.gaps()
    needed = estimate_bytes(config.job.corpus, embedder) - sum(shard.size_bytes for shard in writer.shards)
    require_space(writer.path, max(0, needed))
    done = engine.make_shards(config, embedder, writer, old_part, on_progress)
    times = {"started": started, "encoding_started": encoding_started, "ended": time.time()}
    made_of = {
        "config": config.resolved,
        "fingerprint": identity.fingerprint,
        "inputs": identity.inputs,
        "failures": writer.failures,
    }
    described = describe_run(embedder, done, num_kept=_num_outside(writer.shards, gaps), times=times)
    writer.finish(made_of | described | earlier_runs(writer.grown_from, made_from))


def _num_outside(shards: Sequence[ShardRecord], gaps: Sequence[tuple[int, int | None]]) -> int:
    """How many shards hold sentences that were there before the gaps were filled."""
    return sum(not any(first <= shard.start and (end is None or shard.stop <= end) for first, end in gaps) for shard in shards)


def _made_from(path: Path) -> dict[str, Any] | None:
    """The provenance of the finished store at a path; ``None`` where there is none."""
    if not path.is_file():
        return None
    try:
        with open_store(path) as store:
            return store.provenance
    except NotAStoreError:
        return None  # the writer refuses to replace it, and says so
    except DamagedStoreError as error:
        raise StoreError(f"writing {path}: a damaged store is there ({error}); replace it with --restart") from error


def _identity_there(path: Path, made_from: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What the store at a path is made of, or an unfinished one; ``None`` where there is none."""
    return StorePlace(path).unfinished_identity() if made_from is None else stored_identity(made_from)


def _require_intact(path: Path, mirror: Mirror | None) -> None:
    """Make sure that a finished store has all that it is made of; what is in it, ``embedpipe verify`` checks."""
    if mirror is None:
        check_intact(path, _shards_of(path))
    else:
        mirror.check_intact(_shards_of(path))


def _shards_of(path: Path) -> tuple[ShardRecord, ...]:
    with open_store(path) as store:
        return store.shards


def _require_growth(path: Path, identity: Identity, made_from: Mapping[str, Any], *, append: bool) -> None:
    """Make sure that a finished store that is another one may be added to, and that this is wanted.

    :raises StoreError: If not; says what has changed.
    """
    against = obstacles(identity, made_from)
    if append and not against:
        return
    if append:
        what, lines, grown = "the store there cannot be added to", against, ""
    else:
        what, lines = "a finished store is there that was made otherwise", identity.changes_since(made_from)
        grown = "" if against else "All that is new stands at the end of the corpus: add it with --append. Or give"
    raise StoreError(
        f"writing {path}: {what}:\n"
        + "\n".join(f"  {line}" for line in lines)
        + f"\n{grown or 'Give'} another --output, or replace it with --restart"
    )
