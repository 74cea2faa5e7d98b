"""Pairs of texts as the ``X`` of TextFeatures."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import embedpipe
from embedpipe.downstream import StoreFeatures, TextFeatures
from embedpipe.errors import EncoderError, FeaturesError

PAIRS = [("The fox is near Berlin.", "a fox"), ("a bank and Tokyo", ""), ("re-entry", "The river near Tokyo, a bank!")]
SAME = ["yes", "no", "no"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_model):
    """The config of a corpus of pairs, and its store."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = [{"a": first, "b": second, "same": same} for (first, second), same in zip(PAIRS, SAME, strict=True)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {
        "corpus": {"type": "jsonl", "path": str(folder / "pairs.jsonl"), "text": "a", "second": "b", "labels": ["same"]},
        "encoder": {"type": "transformer", "model": str(tiny_model("roberta")), "device": "cpu"},
        "views": {
            "last": {"layers": "last"},
            "cls": {"unit": "sentence", "layers": "last", "pooling": "cls"},
            "second": {"unit": "sentence", "layers": "last", "pooling": "mean", "of": "second"},
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    embedpipe.extract(config, folder / "s.h5").close()
    return config, folder / "s.h5"


@pytest.fixture
def config(made):
    return made[0]


def single(config):
    """The config of a corpus of single texts."""
    return config | {"corpus": {"type": "lines", "path": "not-needed.txt"}}


@pytest.mark.parametrize("view", ["last", "cls", "second"])
def test_live_vectors_of_pairs_equal_the_stored_ones(made, view):
    features = StoreFeatures(made[1], view)
    with embedpipe.open_store(made[1]) as store:
        assert store.has_pairs
        stored = features.transform(np.arange(len(store.matrix(view))))
    live = features.for_text().transform(PAIRS)
    np.testing.assert_allclose(live, stored, atol=1e-5, rtol=1e-5)


FORMS = {
    "tuples": list,
    "lists": lambda pairs: [list(pair) for pair in pairs],
    "a stream": iter,
    "a series": pd.Series,
    "an array": np.array,
    "an array of objects": lambda pairs: np.array(pairs, dtype=object),
    "a frame": lambda pairs: pd.DataFrame(pairs, columns=["premise", "hypothesis"], index=[7, 7, 3]),
    "a frame of objects": lambda pairs: pd.DataFrame(pairs, dtype=object),
}


@pytest.mark.parametrize("form", FORMS)
def test_pairs_come_as_tuples_lists_or_two_columns(form, config):
    features = TextFeatures(config, "cls")
    np.testing.assert_array_equal(features.transform(FORMS[form](PAIRS)), features.transform(PAIRS))


def test_each_text_of_a_pair_may_be_a_list_of_words(config):
    words = [(first.split(), second.split()) for first, second in PAIRS]
    texts = [(" ".join(first), " ".join(second)) for first, second in words]
    features = TextFeatures(config, "cls")
    np.testing.assert_allclose(features.transform(words), features.transform(texts), atol=1e-6)


def test_whether_lists_are_pairs_or_words_is_as_in_the_store_or_the_config_unless_it_is_said(made):
    config, store = made
    for source in (config, store, str(store), store.with_name("config.json")):
        assert takes_two_for_a_pair(TextFeatures(source, "cls"))
        assert takes_two_for_a_pair(TextFeatures(source, "cls", pairs=True))
        assert not takes_two_for_a_pair(TextFeatures(source, "cls", pairs=False))
        assert not takes_two_for_a_pair(clone(TextFeatures(source, "cls", pairs=False)))
    assert not takes_two_for_a_pair(TextFeatures(single(config), "cls"))
    assert takes_two_for_a_pair(TextFeatures(single(config), "cls", pairs=True))


def takes_two_for_a_pair(features):
    return "text" in features.words_frame([["bank", "Tokyo"]])


def test_two_words_are_no_pair_where_the_corpus_has_none(config):
    features = TextFeatures(single(config), "last")
    assert features.words_frame([["New York", "."]]).columns.tolist() == ["text_index", "row", "word_index", "word"]
    assert features.transform([["New York", "."]]).shape[0] == 2


def test_strings_are_single_texts_and_two_columns_are_pairs_whatever_the_corpus_has(config):
    texts, pairs = ["a fox", "a bank"], pd.DataFrame(PAIRS)
    for source in (config, single(config)):
        np.testing.assert_array_equal(
            TextFeatures(source, "cls").transform(texts), TextFeatures(config, "cls", pairs=False).transform(texts)
        )
        np.testing.assert_array_equal(
            TextFeatures(source, "cls").transform(pairs), TextFeatures(config, "cls").transform(PAIRS)
        )


def test_words_frame_says_which_text_a_word_is_of(made):
    frame = TextFeatures(made[0], "last").words_frame(PAIRS)
    with embedpipe.open_store(made[1]) as store:
        stored = store.words_frame()
        assert frame["word"].tolist() == stored["word"].tolist()
        assert frame["text"].tolist() == stored["text"].tolist()
    assert TextFeatures(made[0], "last").transform(PAIRS).shape[0] == len(frame)


def test_a_model_trained_on_a_store_of_pairs_predicts_on_columns_of_new_ones(made):
    with embedpipe.open_store(made[1]) as store:
        sentences = store.sentences_frame()
        model = make_pipeline(StoreFeatures(store, view="cls"), LogisticRegression(max_iter=1000))
        model.fit(sentences, sentences["same"])
        live = make_pipeline(model[0].for_text(), *model[1:])
        assert list(live.predict(sentences[["text", "second"]])) == list(model.predict(sentences))


def test_columns_of_a_frame_can_be_chosen_by_a_column_transformer(config):
    frame = pd.DataFrame(PAIRS, columns=["premise", "hypothesis"]).assign(number=[1, 2, 3])
    columns = make_column_transformer((TextFeatures(config, "cls"), ["premise", "hypothesis"]))
    np.testing.assert_array_equal(columns.fit_transform(frame), TextFeatures(config, "cls").transform(PAIRS))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([("a", "b"), "a b"], r"text 1: expected a pair of texts like the others, found 'a b' \(str\)"),
        (["a b", ("a", "b")], r"text 0: expected a pair of texts like the others, found 'a b' \(str\)"),
        ([("a", "b"), ("a", "b", "c")], r"text 1: expected a pair of texts, found 3: \('a', 'b', 'c'\)"),
        ([("a", "b"), ["a"]], r"text 1: expected a pair of texts, found 1: \['a'\]"),
        ([("a", "b"), ("a", None)], r"text 1, second of the pair: expected a string or a list of words, found None"),
        ([("a", ["b"])], r"text 0: of the pair, one text is a string and one a list of words"),
        ([(["a", 3], ["b"])], r"text 0, first of the pair: word 1 is 3 \(int\), expected a string"),
        (pd.DataFrame({"a": ["x", "y"], "b": ["z", None]}), r"text 1, second of the pair: .* found (None|nan)"),
        (pd.DataFrame({"a": ["x"], "b": [5]}), r"text 0, second of the pair: .* found 5 \(int\)"),
        (np.array([["a", "b", "c"]]), r"found ndarray of shape \(1, 3\). Give one column, .* or two for pairs"),
    ],
)
def test_what_is_no_pair_is_refused_with_its_index(config, texts, message):
    features = TextFeatures(config, "cls")
    for call in (features.fit, features.transform, features.words_frame):
        with pytest.raises(FeaturesError, match=message):
            call(texts)


def test_an_encoder_that_was_not_made_for_pairs_says_so(config, tiny_model):
    config = config | {"encoder": config["encoder"] | {"model": str(tiny_model("bert"))}}
    with pytest.raises(EncoderError, match="'0' is a pair of texts"):
        TextFeatures(config, "cls").transform(PAIRS)
