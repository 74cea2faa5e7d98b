"""benchmarks/probe.py: its entity scores are seqeval's, and its table says what a model of each view can do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from embedpipe.downstream import StoreFeatures
from embedpipe.layers import Layer

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def probe():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import probe

        yield probe


def test_every_label_is_probed_with_the_views_of_its_unit(probe, store_path, tmp_path, capsys):
    assert probe.main([str(store_path), "--json", str(tmp_path / "probe.json")]) == 0
    ner, topic = json.loads((tmp_path / "probe.json").read_text())["labels"]
    assert (ner["label"], [view["view"] for view in ner["views"]]) == ("ner", ["last", "sum_last_four"])
    assert (topic["label"], [view["view"] for view in topic["views"]]) == ("topic", ["cls", "mean"])
    assert ner["num_train"] + ner["num_test"] == 219
    assert all(view["f1"] is None for view in topic["views"])
    printed = capsys.readouterr().out
    assert f"ner: {ner['num_train']} words (4 documents) to train, {ner['num_test']} words (2 documents) to test; 2" in printed
    assert [line.split()[0] for line in printed.splitlines() if line.startswith(("last", "sum", "cls", "mean"))] == [
        "last",
        "sum_last_four",
        "cls",
        "mean",
    ]


def test_a_named_stacked_view_is_probed_layer_by_layer(probe, store, store_path, tmp_path, capsys):
    arguments = [str(store_path), "--label", "ner", "--views", "all_layers", "--json", str(tmp_path / "probe.json")]
    assert probe.main(arguments) == 0
    (ner,) = json.loads((tmp_path / "probe.json").read_text())["labels"]
    assert [view["view"] for view in ner["views"]] == [f"all_layers, layer {layer}" for layer in range(5)]
    train, test = probe.by_document(probe.labelled(store.words_frame(), "ner"), 0.25)
    for layer, result in enumerate(ner["views"]):
        features = StoreFeatures(store, "all_layers", Layer(layer))
        model = make_pipeline(features, StandardScaler(), LogisticRegression(**probe.LOGISTIC_REGRESSION))
        assert result["accuracy"] == pytest.approx(model.fit(train, train["ner"]).score(test, test["ner"]))
        gold, predicted = (probe.runs(test, tags) for tags in (test["ner"].tolist(), model.predict(test).tolist()))
        assert result["f1"] == pytest.approx(
            f1_score([list(map(str, run)) for run in gold], predicted, mode="strict", scheme=IOB2)
        )


def test_with_a_test_store_all_of_the_first_one_is_trained_on(probe, store_path, tmp_path, capsys):
    assert probe.main([str(store_path), str(store_path), "--label", "topic", "--json", str(tmp_path / "probe.json")]) == 0
    (topic,) = json.loads((tmp_path / "probe.json").read_text())["labels"]
    assert topic["num_train"] == topic["num_test"] == 48


def test_words_without_a_label_are_left_out_and_split_entities(probe, store):
    words = store.words_frame()
    words.loc[[3, 4, 50], "ner"] = None
    kept = probe.labelled(words, "ner")
    assert len(kept) == len(words) - 3
    assert [len(run) for run in probe.runs(kept, kept["ner"].tolist())][:2] == [3, 4]
    assert StoreFeatures(store, "last").transform(kept).shape[0] == len(kept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "pos"], r"has no label 'pos'. It has: ner, topic"),
        (["--test-fraction", "1.5"], "2"),
    ],
)
def test_what_the_store_does_not_have_is_named(probe, store_path, arguments, message, capsys):
    with pytest.raises(SystemExit, match=message):
        probe.main([str(store_path), *arguments])


def test_an_error_of_embedpipe_is_printed_without_a_traceback(probe, store_path, tmp_path, capsys):
    assert probe.main([str(store_path), "--views", "lst"]) == 1
    assert "has no view 'lst'. Did you mean 'last'" in capsys.readouterr().err
    assert probe.main([str(tmp_path / "missing.h5")]) == 1
    assert "missing.h5" in capsys.readouterr().err
