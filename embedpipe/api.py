"""The functions that ``import embedpipe`` offers; the command line calls the same ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from embedpipe.config import Loaded, LoadedConfig, load_config
from embedpipe.engines import LocalEngine
from embedpipe.errors import ConfigError
from embedpipe.store import Store, open_store

if TYPE_CHECKING:
    from embedpipe.extraction import Embedder, Progress

Config: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | LoadedConfig"
"""A path, a dict with the same keys, or a config that is loaded already."""


def extract(
    config: Config,
    output: str | os.PathLike[str] | None = None,
    *,
    overrides: str | Mapping[str, Any] | None = None,
    ext_vars: Mapping[str, str] | None = None,
    include_packages: Sequence[str] = (),
    restart: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Store:
    """Run a corpus through an encoder once and store the views.

    If the finished store of the same config, corpus and weights is there already, nothing is computed again.

    :param output: Where the store goes; left out: ``store.path`` of the config.
    :param overrides: As ``--overrides``: JSON or a mapping; dotted keys reach in.
    :param ext_vars: As ``--ext-var``: external variables of jsonnet.
    :param include_packages: As ``--include-package``: packages that register components of their own.
    :param restart: Replace a store that is there.
    :param on_progress: Called after every batch.
    :returns: The store, open for reading.
    :raises ConfigError: If the config is wrong.
    :raises CorpusError: If a corpus file is; nothing is stored then.
    :raises EncoderError: If the model cannot be found, loaded or run.
    :raises NonFiniteError: If a vector does not fit the store's dtype.
    :raises StoreError: If the store cannot be written, or another one is at its path.
    """
    loaded = _load(config, overrides=overrides, ext_vars=ext_vars, include_packages=include_packages)
    path = output if output is not None else loaded.job.store.path
    if path is None:
        raise ConfigError(loaded.source, ["store.path: is required; name a file, or give it as --output"])
    LocalEngine().run(loaded, path, restart=restart, on_progress=on_progress)
    return open_store(path)


def load_embedder(config: Config) -> Embedder:
    """Load what a config names, to embed sentences in memory without a store.

    :raises ConfigError: If the config is wrong.
    :raises EncoderError: If the model cannot be found or loaded.
    """
    return _load(config).job.load()


def _load(config: Config, **settings: Any) -> LoadedConfig:
    return config if isinstance(config, Loaded) else load_config(config, **settings)
