"""The protocol of an engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.engines.growth import OldPart
    from embedpipe.engines.provenance import Done
    from embedpipe.extraction import Embedder
    from embedpipe.progress import Progress
    from embedpipe.store import StoreWriter


class Engine(AbstractContextManager["Engine"], Protocol):
    """Makes the shards that a store lacks, wherever that is; which sentences share a shard does not depend on it.

    Within its block it is where the work is done; to enter is an :class:`~embedpipe.errors.EmbedpipeError` where that is not
    possible, before anything is looked at or written.
    """

    def load(self, config: LoadedConfig) -> Embedder:
        """The components of the job, loaded as far as this process needs them.

        :raises EncoderError: If the model is not there or cannot be loaded.
        :raises ConfigError: If the engine cannot run the job.
        """

    def make_shards(
        self,
        config: LoadedConfig,
        embedder: Embedder,
        writer: StoreWriter,
        old_part: OldPart | None,
        on_progress: Callable[[Progress], None],
    ) -> Done:
        """Fill the writer's gaps.

        :param embedder: What :meth:`load` gave.
        :param old_part: Of a store that grows: what the corpus must still begin with.
        :raises EmbedpipeError: If that cannot be done; what is committed is kept.
        """
