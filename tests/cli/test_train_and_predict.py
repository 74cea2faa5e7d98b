"""``embedpipe train`` and ``embedpipe predict``."""

from __future__ import annotations

import json

import pytest

from embedpipe.downstream import NerTagger


@pytest.fixture
def trained(run, tmp_path, tiny_model):
    """A folder with a tagger, a store and the config of the training."""
    extraction = {
        "corpus": {"type": "conll2003", "path": "sample:sample.conll"},
        "encoder": {"type": "transformer", "model": str(tiny_model("bert"))},
        "views": {"all_layers": {"layers": "all"}},
    }
    (tmp_path / "extraction.json").write_text(json.dumps(extraction))
    assert run("extract", tmp_path / "extraction.json", "-o", tmp_path / "f.h5").status == 0
    training = {
        "train": str(tmp_path / "f.h5"),
        "test": str(tmp_path / "f.h5"),
        "learned_mix": {},
        "head": {"type": "linear", "training": {"epochs": 3}},
    }
    (tmp_path / "training.json").write_text(json.dumps(training))
    result = run("train", tmp_path / "training.json", "-o", tmp_path / "tagger")
    assert result.status == 0, result.err
    return tmp_path, result


def test_train_says_what_it_has_learned_and_how_to_extract_it(trained):
    folder, result = trained
    assert f"{folder / 'tagger'}: a tagger for 9 tags, the best of 3 epochs" in result.out
    assert "test: f1 " in result.out
    mix = json.loads(result.out.partition("as a view of a config: layers: ")[2])
    assert mix["type"] == "scalar_mix" and len(mix["scalars"]) == len(mix["layers"])
    assert not list(folder.glob("*.checkpoint*"))


def test_predict_gives_columns_or_json_lines_with_the_same_tags(run, trained):
    folder, _ = trained
    tagger = NerTagger.load(folder / "tagger")
    expected = tagger.predict(folder / "f.h5")
    columns = run("predict", folder / "tagger", "sample:sample.conll")
    assert columns.status == 0, columns.err
    blocks = [block.splitlines() for block in columns.out.strip("\n").split("\n\n")]
    assert [[line.split("\t")[1] for line in block] for block in blocks] == expected
    result = run("predict", folder / "tagger", "sample:sample.conll", "--format", "jsonl", "-o", folder / "out.jsonl")
    assert result.status == 0 and result.out == ""
    records = [json.loads(line) for line in (folder / "out.jsonl").read_text("utf-8").splitlines()]
    assert [record["tags"] for record in records] == expected
    for record in records:
        for entity in record["entities"]:
            assert record["text"][entity["start"] : entity["end"]] == entity["text"]


def test_predict_reads_plain_text(run, trained):
    folder, _ = trained
    (folder / "new.txt").write_text("Anna lives in Berlin .\n\nShe works there .\n", "utf-8")
    result = run("predict", folder / "tagger", folder / "new.txt")
    assert result.status == 0 and [line.split("\t")[0] for line in result.out.split("\n\n")[0].splitlines()] == [
        "Anna",
        "lives",
        "in",
        "Berlin",
        ".",
    ]


def test_mistakes_are_messages(run, trained):
    folder, _ = trained
    assert "no such" in run("predict", folder / "tagger", folder / "nothing.txt").err.lower()
    assert run("predict", folder / "tagger", "sample:sample.txt", "--input-type", "linse").status == 2
    missing = run("predict", folder / "no-tagger", "sample:sample.txt")
    assert missing.status == 1 and missing.err.startswith("ModelError: ")
    both = run("train", folder / "training.json", "-o", folder / "t", "--overrides", '{"layers": "last"}')
    assert both.status == 2 and "learned_mix: stands beside layers; give one of the two" in both.err
    label = run("train", folder / "training.json", "-o", folder / "t", "--overrides", '{"label": "nre"}')
    assert label.status == 1 and "has no label 'nre'. It has: ner" in label.err and not (folder / "t").exists()
