"""The engine, as a run sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from embedpipe.engines.crew import extract_at_once
from embedpipe.engines.loading import load_for_workers
from embedpipe.engines.ray_data.actors import RayActors
from embedpipe.engines.ray_data.cluster import connect, import_ray, require_room
from embedpipe.engines.shard_worker import ShardWork

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.engines.growth import OldPart
    from embedpipe.engines.provenance import Done
    from embedpipe.extraction import Embedder
    from embedpipe.job import Ray
    from embedpipe.progress import Progress
    from embedpipe.store import StoreWriter


class RayEngine:
    """Extracts on a Ray cluster; see :class:`embedpipe.engines.Engine`."""

    def __init__(self, settings: Ray) -> None:
        self._settings = settings
        self._ray = import_ray()
        self._is_ours = False

    def __enter__(self) -> RayEngine:
        if not self._ray.is_initialized():
            connect(self._ray, self._settings)
            self._is_ours = True
        require_room(self._ray, self._settings)
        return self

    def __exit__(self, *error: object) -> None:
        if self._is_ours:
            self._ray.shutdown()

    def load(self, config: LoadedConfig) -> Embedder:
        """All but the encoder's weights."""
        return load_for_workers(config)

    def make_shards(
        self,
        config: LoadedConfig,
        embedder: Embedder,
        writer: StoreWriter,
        old_part: OldPart | None,
        on_progress: Callable[[Progress], None],
    ) -> Done:
        """Fill the writer's gaps on the cluster."""
        actors = RayActors(self._ray, ShardWork(config, writer.maker, old_part), self._settings)
        return extract_at_once(actors, writer, self._settings.workers, self._settings.max_retries, on_progress)
