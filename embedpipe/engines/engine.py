"""The protocol of an engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from embedpipe.config import LoadedConfig
    from embedpipe.progress import Progress


class Engine(Protocol):
    """Runs a job and leaves a whole store, or none."""

    def run(
        self,
        config: LoadedConfig,
        path: str | os.PathLike[str],
        *,
        restart: bool = False,
        append: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Extract into ``path``.

        :param restart: Replace a store that is there. Without, one with the same fingerprint is left as it is, and any other
            is an error.
        :param append: Add to a store that is there what stands behind its part of the corpus; nothing else may have changed.
        """
