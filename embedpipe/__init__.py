"""Frozen-model features, every layer, aligned to your words, in one HDF5 store.

::

    store = embedpipe.extract("configs/quickstart.jsonnet", output="features.h5")
    store = embedpipe.open_store("features.h5")
    store.vectors("concat_last_four", store.ids[0])  # (num_words, vector_size)

Everything is imported when it is first used, so that ``import embedpipe`` and ``embedpipe --help`` are quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedpipe.api import compare, extract, load_embedder, takes_pairs, train
    from embedpipe.corpus import sample_path
    from embedpipe.errors import EmbedpipeError
    from embedpipe.store import Store, open_store

__version__ = "0.1.0"

_HOME = {
    "compare": "embedpipe.api",
    "extract": "embedpipe.api",
    "load_embedder": "embedpipe.api",
    "takes_pairs": "embedpipe.api",
    "train": "embedpipe.api",
    "sample_path": "embedpipe.corpus",
    "EmbedpipeError": "embedpipe.errors",
    "Store": "embedpipe.store",
    "open_store": "embedpipe.store",
}

__all__ = [
    "EmbedpipeError",
    "Store",
    "__version__",
    "compare",
    "extract",
    "load_embedder",
    "open_store",
    "sample_path",
    "takes_pairs",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
