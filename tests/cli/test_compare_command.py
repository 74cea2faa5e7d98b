"""``embedpipe compare``."""

from __future__ import annotations

import json

import pytest

from embedpipe.experiment.results_file import read_results


@pytest.fixture
def comparison(tmp_path, tiny_model):
    """The config of a comparison that takes seconds."""
    config = {
        "title": "A small one",
        "task": {"type": "ner"},
        "splits": {
            "type": "random",
            "corpus": {
                "type": "jsonl",
                "path": "sample:sample.jsonl",
                "text": "text",
                "words": "words",
                "labels": ["ner", "sense"],
            },
        },
        "encoders": {"tiny": {"type": "transformer", "model": str(tiny_model("bert"))}},
        "choices": ["last", "mix_all"],
        "heads": {"linear": {"type": "linear", "training": {"epochs": 2}}},
        "seeds": [0, 1],
        "maps": ["stick"],
        "map_label": "sense",
    }
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(config))
    return path


def test_a_comparison_leaves_a_report_and_its_numbers_and_is_not_made_twice(run, comparison, tmp_path):
    folder = tmp_path / "out"
    result = run("compare", comparison, "-o", folder)
    assert result.status == 0 and result.err == ""
    assert "mix_all" in result.out and f"{folder / 'report.html'}: the whole of it" in result.out
    results = read_results(folder / "results.json")
    assert {run.choice for run in results.runs} == {"last", "mix_all"} and len(results.runs) == 4
    assert results.maps[0].lemma == "stick" and "static" in results.maps[0].panels
    assert "A small one" in (folder / "report.html").read_text("utf-8")
    assert len((folder / "results.csv").read_text().splitlines()) == 5

    written = {path: path.stat().st_mtime_ns for path in (folder / "runs").iterdir()}
    before = (folder / "results.json").read_bytes()
    assert run("compare", comparison, "-o", folder).status == 0
    assert (folder / "results.json").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").iterdir()} == written


def test_occurrences_of_one_form_are_one_point_on_the_static_map(run, comparison, tmp_path):
    run("compare", comparison, "-o", tmp_path / "out", "-q")
    found = read_results(tmp_path / "out" / "results.json").maps[0]
    by_form: dict[str, set[tuple[float, float]]] = {}
    for occurrence, point in zip(found.occurrences, found.panels["static"], strict=True):
        by_form.setdefault(occurrence.word, set()).add(tuple(point))
    assert max(map(len, by_form.values())) == 1
    last = list(found.panels)[-1]
    assert len(set(map(tuple, found.panels[last]))) > len(by_form)


def test_every_mistake_of_the_config_is_told_at_once_with_status_2(run, comparison, tmp_path):
    overrides = json.dumps({"heads.linear.type": "lienar", "choices": ["sum_last_four", "lats"], "seeds": [-1]})
    result = run("compare", comparison, "-o", tmp_path / "out", "--overrides", overrides)
    assert result.status == 2 and "has 2 mistakes" in result.err
    assert "heads.linear.type: 'lienar' is not a head type. Did you mean 'linear'?" in result.err
    assert "seeds" in result.err and not (tmp_path / "out").exists()


def test_the_config_of_an_extraction_is_told_from_that_of_a_comparison(run, comparison, tmp_path):
    result = run("extract", comparison, "-o", tmp_path / "x.h5")
    assert result.status == 2 and "task: is not a field of the config" in result.err
