from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

import embedpipe
from embedpipe.config import load_config
from embedpipe.engines.estimate import estimate_bytes
from embedpipe.errors import StoreError


@pytest.fixture
def config(tiny_model, tmp_path):
    def make(num_lines):
        (tmp_path / "corpus.txt").write_text("the quick brown fox\n" * num_lines, encoding="utf-8")
        return load_config(
            {
                "corpus": {"type": "words", "path": str(tmp_path / "corpus.txt")},
                "encoder": {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"},
                "views": {"all": {"layers": "all"}, "mean": {"layers": "last", "unit": "sentence"}},
            }
        )

    return make


@pytest.mark.parametrize(("num_lines", "head_bytes"), [(100, 2**20), (4000, 2**20), (6_000, 2**17)])
def test_the_estimate_from_the_beginning_of_a_corpus_is_near_the_real_size(
    config, tmp_path, monkeypatch, num_lines, head_bytes
):
    monkeypatch.setattr("embedpipe.engines.estimate._HEAD_BYTES", head_bytes)
    loaded = config(num_lines)
    with embedpipe.extract(loaded, tmp_path / "features.h5") as store:
        assert estimate_bytes(loaded.job.corpus, loaded.job.load()) == pytest.approx(store.size_bytes, rel=0.1)


def test_an_extraction_that_cannot_fit_on_the_disk_is_refused_before_anything_is_written(config, tmp_path, monkeypatch):
    loaded = config(100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10**6, used=10**6 - 5000, free=5000))
    with pytest.raises(StoreError, match=r"needs about .* but only 5,000 bytes are free"):
        embedpipe.extract(loaded, tmp_path / "features.h5")
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.txt"}
