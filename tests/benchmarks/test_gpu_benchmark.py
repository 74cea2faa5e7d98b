"""benchmarks/gpu.py, tried out on a CPU: it runs, counts what it says it counts, and says where there is no GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import gpu
        from speed import ceiling

        patch.setattr(ceiling, "_LEAST_SECONDS", 0.001)
        patch.setattr(ceiling, "ROWS", (64,))
        patch.setattr(ceiling, "SQUARE", 64)
        yield gpu


def test_it_has_a_figure_for_each_size_precision_and_length(benchmark, tmp_path, capsys):
    options = "--device cpu --sizes tiny --precisions float32 --lengths 8 24 --subwords 960 --repeats 1 --processes 1"
    benchmark.main([*options.split(), "--scratch", str(tmp_path), "--json", str(tmp_path / "figures.json")])
    figures = json.loads(capsys.readouterr().out)
    assert figures == json.loads((tmp_path / "figures.json").read_text())
    lengths = figures["sizes"]["tiny"]["float32"]["lengths"]
    assert {length: each["sentences"] for length, each in lengths.items()} == {"8": 120, "24": 40}
    for each in lengths.values():
        assert each["efficiency"] == pytest.approx(each["subwords_per_second"] / each["bare_subwords_per_second"])
        assert each["ceiling"] == pytest.approx(each["ceiling_of_bare"] * each["efficiency"])
        assert each["gigabytes_per_second"] > 0


def test_all_windows_of_a_corpus_are_of_one_length_and_none_comes_twice(benchmark, tmp_path):
    from speed.corpora import write_corpus
    from speed.ours import Extraction

    words = benchmark.whole_words(benchmark.find_model("minilm").folder)
    sentences = benchmark.sentences_of(16, 800, words)
    assert len({*sentences}) == len(sentences) == 50
    windows = Extraction(write_corpus(sentences, tmp_path / "corpus.jsonl")).windows()
    assert {len(window) for window in windows} == {16}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark.parse([])
    assert "this machine has no GPU of CUDA" in capsys.readouterr().err
