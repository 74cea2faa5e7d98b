from __future__ import annotations

import json
import re
import shutil
from collections import namedtuple

import pytest

from embedpipe.engines import disk

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def disk_with(monkeypatch):
    return lambda free: monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: Usage(2**60, 0, free))


def test_plan_says_what_would_be_made_and_makes_nothing(run, workplace):
    config = workplace.config(corpus={"type": "words", "path": str(workplace.corpus("the quick fox\n\na \u200b dog\n"))})
    before = sorted(workplace.folder.iterdir())
    result = run("plan", config)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"{config}: would make {workplace.folder / 'features.h5'}, about ")
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in result.out.splitlines() if line.startswith("  ")}
    assert lines["corpus"].startswith("corpus.txt: 1 document, 3 sentences, 6 words, ")
    assert lines["encoder"].endswith("BertModel, 4 layers of 32")
    assert lines["context"] == "sentence, windows of 94 subwords"
    assert lines["time"].startswith("about under 1 s: ") or lines["time"].startswith("about ")
    assert "as timed here" in lines["time"]
    assert lines["last"].split() == ["word", "6", "32", "float32", "768", "bytes", "4", "first"]
    assert "empty sentences: 1" in result.out
    assert "words without subwords: 1" in result.out
    assert sorted(workplace.folder.iterdir()) == before


def test_json_has_everything(run, workplace):
    facts = json.loads(run("plan", workplace.config(), "--json").out)
    assert set(facts) == {
        "config", "path", "encoder", "context", "corpus", "projected", "views", "beside_bytes", "total_bytes", "disk", "time",
    }  # fmt: skip
    assert set(facts["corpus"]) == {
        "files", "documents", "sentences", "pairs", "words", "subwords", "windows", "window_subwords", "windowed_sentences",
        "empty_sentences", "words_without_subwords", "cut_words", "text_bytes", "id_bytes", "vocabulary_bytes", "longest_sentence", "labels", "warnings",
    }  # fmt: skip
    assert facts["corpus"]["longest_sentence"]["num_words"] == 3
    assert facts["encoder"]["device_name"] == "cpu"
    assert facts["context"] == {"type": "sentence", "window": 94}
    view = facts["views"]["last"]
    assert (view["rows"], view["row_shape"], view["size_bytes"]) == (5, [32], 640)
    assert facts["total_bytes"] == facts["beside_bytes"] + 640
    assert facts["disk"]["is_enough"] is True
    assert facts["projected"] is None
    assert set(facts["time"]) == {
        "reading_seconds", "encoding_seconds", "subwords_per_second", "source", "num_workers", "num_shards", "num_bytes",
        "disk_bytes_per_second", "seconds", "limits", "limited_by", "enough_workers",
    }  # fmt: skip


def test_a_full_disk_is_refused_with_the_numbers_and_the_plan(run, workplace, disk_with):
    disk_with(1000)
    result = run("plan", workplace.config(), "--no-calibration")
    assert result.status == 1
    assert "that is not enough" in result.out
    assert "5 words" in result.out
    assert result.err.startswith(f"StoreError: the store {workplace.folder / 'features.h5'} needs about ")
    assert "only 1,000 bytes are free" in result.err
    as_json = run("plan", workplace.config(), "--no-calibration", "--json")
    assert as_json.status == 1
    assert json.loads(as_json.out)["disk"]["is_enough"] is False


def test_a_store_at_a_url_needs_room_in_the_folder_that_it_passes_through(run, workplace, tmp_path, monkeypatch):
    cache, url = tmp_path / "cache", "memory://bucket/features.h5"
    cache.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    config = workplace.config()
    before = sorted(workplace.folder.iterdir())
    facts = json.loads(run("plan", config, "-o", url, "--json").out)
    assert (facts["path"], facts["disk"]["folder"]) == (url, str(cache))
    asked = json.loads(run("plan", config, "--overrides", json.dumps({"store.path": url}), "--json").out)
    assert (asked["path"], asked["disk"]["folder"]) == (url, str(cache))
    assert run("plan", config, "-o", url).out.startswith(f"{config}: would make {url}, about ")
    assert sorted(workplace.folder.iterdir()) == before and not list(cache.iterdir())


def test_a_projection_says_that_it_does_not_fit_here_and_is_no_failure(run, workplace, disk_with):
    disk_with(10**6)
    result = run("plan", workplace.config(), "--sentences", 3_000_000, "--device-rate", 1000, "--workers", 8)
    assert (result.status, result.err) == (0, "")
    assert "projected   to 1,000,000 documents, 3,000,000 sentences, 5,000,000 words, " in result.out
    assert "that is not enough" in result.out
    assert "at 1,000 subwords/s as given, shared by 8 workers" in result.out
    assert "  limit       reading, one range after the other, " in result.out


def test_a_slow_disk_is_the_limit_and_the_plan_says_from_how_many_workers_on(run, workplace):
    asked = ("plan", workplace.config(), "--sentences", 10**9, "--device-rate", 10**6, "--disk-rate", 0.01)
    result = run(*asked, "--workers", 64)
    assert (result.status, result.err) == (0, "")
    assert re.search(r"\n  limit +the disk, .* in all, holds them up from \d+ workers? on\n", result.out)
    time = json.loads(run(*asked, "--workers", 64, "--json").out)["time"]
    assert (time["limited_by"], time["seconds"]) == ("disk", time["limits"]["disk"])
    assert time["limits"]["disk"] == pytest.approx(time["num_bytes"] / 1e4)


def test_without_calibration_the_weights_are_not_read_and_the_time_is_unknown(run, workplace, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(workplace.model, model)
    (model / "model.safetensors").write_bytes(b"")
    config = workplace.config(encoder={"type": "transformer", "model": str(model), "device": "cpu"})
    result = run("plan", config, "--no-calibration")
    assert (result.status, result.err) == (0, "")
    assert "time        unknown; leave out --no-calibration, or give --device-rate" in result.out
    calibrated = run("plan", config)
    assert calibrated.status == 1
    assert calibrated.err.startswith("EncoderError: ")


def test_output_overrides_and_ext_vars_reach_the_config(run, workplace):
    config = json.loads(workplace.config(store=None).read_text())
    config["corpus"]["path"] = "VARIABLE"
    path = workplace.text_config(json.dumps(config).replace('"VARIABLE"', 'std.extVar("corpus")'))
    arguments = ("--ext-var", f"corpus={workplace.folder}/corpus.txt", "--no-calibration")
    assert "would make a store that has no path yet" in run("plan", path, *arguments).out
    result = run(
        "plan", path, *arguments, "--json", "-o", workplace.folder / "deep" / "x.h5", "--overrides", '{"store": {"dtype": "float16"}}'
    )  # fmt: skip
    facts = json.loads(result.out)
    assert facts["path"] == str(workplace.folder / "deep" / "x.h5")
    assert facts["disk"]["folder"] == str(workplace.folder.resolve())
    assert facts["views"]["last"]["size_bytes"] == 320


@pytest.mark.parametrize(
    "arguments",
    [("--sentences", "0"), ("--device-rate", "0"), ("--workers", "0"), ("--device-rate", "fast"), ("--sentences", "1.5")],
)
def test_numbers_that_make_no_sense_are_bad_usage(run, workplace, arguments):
    result = run("plan", workplace.config(), *arguments)
    assert result.status == 2
    assert arguments[0] in result.err


def test_mistakes_of_the_config_are_reported_as_by_extract(run, workplace):
    config = workplace.config(views={"ninth": {"layers": {"type": "layer", "index": 9}}})
    planned, extracted = run("plan", config), run("extract", config)
    assert planned.status == extracted.status == 2
    assert planned.err == extracted.err


def test_warnings_of_the_corpus_are_shown(run, workplace):
    corpus = {"type": "conll2003", "path": str(workplace.corpus("the O\n\t\n\ndog O\n"))}
    extracted = run("extract", workplace.config(corpus=corpus)).out
    planned = run("plan", workplace.config(corpus=corpus), "--no-calibration").out
    assert "warning, 1 times: " in extracted
    message = extracted.split("warning, 1 times: ")[1].split(" (")[0]
    assert f"warning     {message}: 1 times, first at " in planned
