"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedpipe.garbage import search_rarely

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # models are tiny, and two processes share two cores
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own 15 lets its workers starve beside the other tests
search_rarely()  # a search for garbage looks at all that torch, transformers and the collection of tests have made
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def disk_is_not_waited_for() -> Iterator[None]:
    """What is written outlives this process without fsync; the processes that tests start, and kill, have the real one."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a tiny random model of an architecture, made once."""
    from tiny_models import save_tiny_model

    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = save_tiny_model(name, tmp_path_factory.mktemp(f"tiny-{name}"))
        return made[name]

    return folder


@pytest.fixture
def shared() -> Path:
    """The folder of data sets and reference outputs beside a developer's checkout."""
    if not SHARED.is_dir():
        pytest.skip("the reference data of the developers is not on this machine")
    return SHARED
