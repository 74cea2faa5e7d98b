"""A small store of a tiny encoder with every kind of view, and the config that it was made with."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from downstream_sentences import sentences
from threadpoolctl import threadpool_limits

import embedpipe
from embedpipe.store import Store, StoreWriter

VIEWS = {
    "last": {"layers": "last"},
    "sum_last_four": {"layers": "sum_last_four", "pooling": "mean"},
    "all_layers": {"layers": "all", "pooling": "mean"},
    "ends": {"layers": {"type": "stack", "layers": [0, -1]}, "pooling": "mean"},
    "mean": {"layers": "last", "unit": "sentence", "pooling": "mean"},
    "cls": {"layers": "last", "unit": "sentence", "pooling": "cls"},
    "all_sentences": {"layers": "all", "unit": "sentence"},
    "pieces": {"layers": "last", "unit": "subword"},
}


@pytest.fixture(scope="session")
def whole_config(tiny_model: Callable[[str], Path]) -> dict[str, Any]:
    return {
        "corpus": {"type": "lines", "path": "not-needed-to-embed-new-text.txt"},
        "encoder": {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"},
        "views": VIEWS,
    }


@pytest.fixture(scope="session", autouse=True)
def one_encoder_for_all(whole_config: dict[str, Any]) -> Iterator[None]:
    """Load the shared model once for each config; a test's own model is loaded as ever. One thread: the matrices are tiny."""
    load, loaded = embedpipe.load_embedder, {}

    def load_once(config: Any) -> Any:
        if not isinstance(config, dict) or config.get("encoder") != whole_config["encoder"]:
            return load(config)
        key = json.dumps(config, sort_keys=True)
        if key not in loaded:
            loaded[key] = load(config)
        return loaded[key]

    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.setattr(embedpipe, "load_embedder", load_once, raising=False)
        yield


@pytest.fixture
def config(whole_config: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(whole_config)


@pytest.fixture(scope="session")
def write_store() -> Callable[..., Path]:
    """Embed :func:`sentences` as a config says."""

    def write(path: Path, config: dict[str, Any], *, without: str = "") -> Path:
        embedder = embedpipe.load_embedder(config)
        inputs = {"model": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in embedder.encoder.files}}
        with StoreWriter(path, embedder.view_infos) as writer:
            for start, block in enumerate(embedder.embed(sentences())):
                writer.append(block, start)
            provenance = {"config": config, "inputs": inputs, "encoder": dict(embedder.encoder.description)}
            writer.finish({name: value for name, value in provenance.items() if name != without})
        return path

    return write


@pytest.fixture(scope="session")
def store_path(
    whole_config: dict[str, Any], write_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return write_store(tmp_path_factory.mktemp("downstream") / "features.h5", whole_config)


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    with embedpipe.open_store(store_path) as store:
        yield store
