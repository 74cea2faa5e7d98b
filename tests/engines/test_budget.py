"""The budget of a batch, measured: the fastest is found, the store says which, and whoever goes on takes the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import embedpipe
from embedpipe.config import load_config
from embedpipe.dataflow import Sentence
from embedpipe.engines import budget as module
from embedpipe.engines.against import compare
from embedpipe.engines.budget import measured_budget
from embedpipe.errors import ConfigError


@dataclass
class Clock:
    now: float = 0.0

    def perf_counter(self) -> float:
        return self.now


class Timed:
    """An encoder for which every batch takes a start, and subwords beyond what its cache holds take ten times as long."""

    is_thread_safe = False

    def __init__(self, encoder: Any, clock: Clock, cache: int) -> None:
        self._encoder, self._clock, self._cache = encoder, clock, cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(self, batch: Any, layers: Any) -> Any:
        size = batch.input_ids.numel()
        self._clock.now += (500 + size + 9 * max(0, size - self._cache)) * 1e-4
        return self._encoder.encode(batch, layers)


@dataclass(frozen=True)
class Corpus:
    sizes: tuple[int, ...]
    files: tuple[Path, ...] = ()

    def sentences(self, log: Any) -> Any:
        for number, size in enumerate(self.sizes):  # no two are equal, as those would be encoded once
            words = ["b" if number >> bit & 1 else "a" for bit in range(10)] + ["a"] * size
            yield Sentence.from_words(str(number), "d", words)


@pytest.fixture
def config(tiny_model: Any, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "c.txt").write_text("Ada met Bo .\n" * 30)
    return {
        "corpus": {"type": "words", "path": str(tmp_path / "c.txt")},
        "encoder": {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"},
        "views": {"last": {"layers": "last"}},
        "batching": {"budget_subwords": "auto"},
    }


@pytest.mark.parametrize(("cache", "expected"), [(600, 512), (1100, 1024), (2048, 2048)])
def test_the_budget_is_the_one_that_is_fastest(config: Any, monkeypatch: Any, cache: int, expected: int) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "_SECONDS", 4.0)
    embedder = load_config(config).job.load()
    object.__setattr__(embedder, "encoder", Timed(embedder.encoder, clock, cache))
    sizes = tuple(number % 50 for number in range(600))
    assert measured_budget(embedder, Corpus(sizes)) == expected


def test_a_larger_budget_that_is_hardly_faster_is_not_taken(config: Any, monkeypatch: Any) -> None:
    seconds = {512: 1.0, 1024: 0.98, 2048: 0.975, 4096: 0.1}
    monkeypatch.setattr(module, "_seconds", lambda embedder, sample: seconds[embedder.batching.budget_subwords])
    embedder = load_config(config).job.load()
    assert measured_budget(embedder, Corpus((50,) * 400)) == 512, "two in vain are enough"


def test_a_corpus_without_sentences_needs_no_measurement(config: Any) -> None:
    assert measured_budget(load_config(config).job.load(), Corpus(())) == 512


@pytest.fixture
def measured(monkeypatch: Any) -> list[int]:
    """The budgets that come out of measurements, another one each time."""
    given: list[int] = []

    def measure(embedder: Any, corpus: Any) -> int:
        given.append(600 + len(given))
        return given[-1]

    monkeypatch.setattr(module, "measured_budget", measure)
    return given


def test_the_store_says_which_and_the_same_command_finds_it_done(config: Any, tmp_path: Path, measured: list[int]) -> None:
    for _ in range(2):
        with embedpipe.extract(config, tmp_path / "s.h5") as store:
            assert store.provenance["config"]["batching"]["budget_subwords"] == 600
    assert measured == [600]
    assert not list(compare(tmp_path / "s.h5", load_config(config)))
    (tmp_path / "c.txt").write_text("Ada met Bo .\n" * 40)
    embedpipe.extract(config, tmp_path / "s.h5", append=True).close()
    assert measured == [600], "it grows with the same"
    embedpipe.extract(config, tmp_path / "s.h5", restart=True).close()
    assert measured == [600, 601]


def test_a_run_that_goes_on_takes_the_same(config: Any, tmp_path: Path, measured: list[int]) -> None:
    def stop(progress: Any) -> None:
        if progress.num_sentences > 10:
            raise KeyboardInterrupt

    given = config | {"store": {"shard_size": 3000}}
    with pytest.raises(KeyboardInterrupt):
        embedpipe.extract(given, tmp_path / "s.h5", on_progress=stop)
    with embedpipe.extract(given, tmp_path / "s.h5") as store:
        assert store.provenance["run"]["num_shards_kept"] > 0
    assert measured == [600]


def test_on_ray_it_cannot_be_measured(config: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"batching\.budget_subwords: 'auto' is measured here"):
        embedpipe.extract(config | {"engine": {"type": "ray"}}, tmp_path / "s.h5")
