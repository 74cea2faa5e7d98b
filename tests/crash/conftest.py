"""One process that is ready to be killed for all tests of this folder: its imports are most of what these cost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from crash_runs import Server, config_of, run_whole, write_vectors


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture(autouse=True)
def errors_are_those_of_this_test(server: Server) -> None:
    os.truncate(server.errors, 0)


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("corpus")
    return config_of(folder / "corpus.txt", write_vectors(folder / "vectors.txt"))


@pytest.fixture(scope="session")
def whole(config: dict[str, Any], server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], list[str]]:
    """What an uninterrupted run leaves, and the commit points that it passes."""
    return run_whole(config, server, tmp_path_factory.mktemp("whole"))
