"""Pairs of texts to a tagger that was trained on pairs, on the command line and in Python; and other taggers of sentences."""

from __future__ import annotations

import json
import random

import pytest

from embedpipe.downstream import NerTagger


def rows_of(number):
    chance = random.Random(3)
    for index in range(number):
        one, other = chance.choice(("fox", "dog")), chance.choice(("fox", "dog"))
        yield {"n": f"p{index}", "a": f"The quick {one} waited.", "b": f"the {other}", "animal": other}


ROWS = list(rows_of(30))


def write_rows(path, rows=ROWS):
    if path.suffix == ".jsonl":
        lines = [json.dumps(row) for row in rows]
    else:
        lines = ["\t".join(values) for values in [rows[0].keys(), *(row.values() for row in rows)]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def train(run, tmp_path, tiny_model):
    """Train a tagger of sentences on a file of pairs; ``second`` may be left out."""

    def train_on(path, **corpus):
        corpus = {"type": path.suffix[1:], "path": str(path), "text": "a", "id": "n", "labels": ["animal"], **corpus}
        encoder = {"type": "transformer", "model": str(tiny_model("roberta")), "device": "cpu"}
        views = {"mean": {"unit": "sentence", "layers": "embeddings", "pooling": "mean"}}
        (tmp_path / "e.json").write_text(json.dumps({"corpus": corpus, "encoder": encoder, "views": views}))
        assert run("extract", tmp_path / "e.json", "-o", tmp_path / "f.h5").status == 0
        training = {
            "train": str(tmp_path / "f.h5"),
            "label": "animal",
            "head": {
                "type": "linear",
                "training": {"epochs": 30, "learning_rate": 0.05, "batch_sentences": 8, "device": "cpu"},
            },
        }
        (tmp_path / "t.json").write_text(json.dumps(training))
        assert run("train", tmp_path / "t.json", "-o", tmp_path / "tagger").status == 0
        tags = [tag for (tag,) in NerTagger.load(tmp_path / "tagger").predict(tmp_path / "f.h5")]
        assert len(set(tags)) > 1  # or the tests would be of nothing
        return tmp_path / "tagger", tags

    return train_on


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.tsv"])
def test_pairs_are_read_from_the_fields_of_the_training_corpus(name, run, train, tmp_path):
    path = write_rows(tmp_path / name)
    tagger, tags = train(path, second="b")
    result = run("predict", tagger, path)
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines() == [f"{row['a']}\t{row['b']}\t{tag}" for row, tag in zip(ROWS, tags, strict=True)]
    result = run("predict", tagger, path, "--format", "jsonl")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record["tag"] for record in records] == tags
    for row, record in zip(ROWS, records, strict=True):
        assert (record["text"], record["text"][record["second_start"] :]) == (f"{row['a']} {row['b']}", row["b"])
        assert set(record) == {"id", "document", "text", "second_start", "tag"}


def test_pairs_in_other_fields_or_of_another_type_are_named(run, train, tmp_path):
    tagger, tags = train(write_rows(tmp_path / "pairs.jsonl"), second="b")
    renamed = [{"premise": row["a"], "hypothesis": row["b"]} for row in ROWS]
    fields = '{"corpus.text": "premise", "corpus.second": "hypothesis"}'
    for name in ("other.jsonl", "other.tsv"):
        result = run("predict", tagger, write_rows(tmp_path / name, renamed), "--overrides", fields)
        assert (result.status, result.err) == (0, "")
        assert [line.split("\t")[2] for line in result.out.splitlines()] == tags
    lacking = run("predict", tagger, tmp_path / "other.jsonl")
    assert lacking.status == 1 and "no field 'a' (text); it has 'premise'" in lacking.err


def test_single_texts_for_a_tagger_of_pairs_are_noted(run, train, tmp_path):
    tagger, _ = train(write_rows(tmp_path / "pairs.jsonl"), second="b")
    (tmp_path / "new.txt").write_text("The quick fox waited.\n")
    result = run("predict", tagger, tmp_path / "new.txt")
    assert result.status == 0
    assert "was trained on pairs of texts, and reads single ones here" in result.err
    assert result.out.startswith("The quick fox waited.\t")


def test_a_tagger_of_single_sentences_gives_a_line_a_sentence(run, train, tmp_path):
    path = write_rows(tmp_path / "texts.jsonl")
    tagger, tags = train(path, text="b")
    result = run("predict", tagger, path, "--overrides", '{"corpus.text": "b"}')
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines() == [f"{row['b']}\t{tag}" for row, tag in zip(ROWS, tags, strict=True)]
    as_json = run("predict", tagger, path, "--overrides", '{"corpus.text": "b"}', "--format", "jsonl")
    assert all(set(json.loads(line)) == {"id", "document", "text", "tag"} for line in as_json.out.splitlines())


def test_a_tagger_of_pairs_takes_pairs_in_python(train, tmp_path):
    folder, tags = train(write_rows(tmp_path / "pairs.jsonl"), second="b")
    tagger = NerTagger.load(folder)
    assert (tagger.unit, tagger.takes_pairs) == ("sentence", True)
    assert [tag for (tag,) in tagger.predict_texts([(row["a"], row["b"]) for row in ROWS])] == tags
