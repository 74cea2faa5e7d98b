from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny_models import HIDDEN_SIZE

import embedpipe
from embedpipe.downstream import StoreFeatures, TextFeatures
from embedpipe.errors import ConfigError, EncoderError, FeaturesError, StoreError
from embedpipe.layers import Concat

TEXTS = ["The fox is near Berlin .", "a bank and Tokyo", "", "re-entry"]


@pytest.fixture
def loads(monkeypatch):
    """The configs that were loaded."""
    loaded = []
    load = embedpipe.load_embedder
    monkeypatch.setattr(embedpipe, "load_embedder", lambda config: loaded.append(config) or load(config), raising=False)
    return loaded


@pytest.mark.parametrize(
    ("view", "layers"),
    [
        ("last", None),
        ("sum_last_four", None),
        ("all_layers", "concat_last_four"),
        ("ends", Concat((-1, 0))),
        ("mean", None),
        ("cls", None),
        ("all_sentences", "mean_all"),
        ("pieces", None),
    ],
)
def test_live_vectors_equal_stored_vectors_of_the_same_sentences(store, view, layers):
    features = StoreFeatures(store, view, layers)
    live = features.for_text().transform([sentence.words for sentence in store])
    stored = features.transform(np.arange(store.matrix(view).shape[0]))
    assert live.dtype == stored.dtype == np.float32
    np.testing.assert_allclose(live, stored, atol=1e-5, rtol=1e-5)


def test_raw_text_and_its_words_give_the_same_sentence_vector(config):
    features = TextFeatures(config, "mean")
    np.testing.assert_allclose(
        features.transform(TEXTS), features.transform([text.split() for text in TEXTS]), atol=1e-6, rtol=1e-6
    )


def test_a_model_trained_on_a_store_predicts_on_live_text(store):
    sentences = store.sentences_frame()
    model = make_pipeline(StoreFeatures(store, view="mean"), StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(sentences, sentences["topic"])
    live = make_pipeline(model[0].for_text(), *model[1:])
    assert list(live.predict(sentences["text"])) == list(model.predict(sentences))
    assert set(live.predict(["The fox near Berlin .", "Tokyo is a bank"])) <= set(sentences["topic"])  # never seen before


def test_a_tagger_trained_on_a_store_tags_the_words_of_live_text(store):
    words = store.words_frame()
    model = make_pipeline(StoreFeatures(store, "all_layers", "sum_last_four"), LogisticRegression(max_iter=1000))
    model.fit(words, words["ner"])
    live = make_pipeline(model[0].for_text(), *model[1:])
    chosen = [store["doc-4/1"], store["doc-2/4"], store["doc-0/0"]]
    assert [len(sentence.words) for sentence in chosen] == [5, 0, 5]
    texts = [sentence.words for sentence in chosen]
    tagged = live[0].words_frame(texts).assign(ner=live.predict(texts))
    stored = words[words["sentence_id"].isin(["doc-4/1"])], words[words["sentence_id"].isin(["doc-0/0"])]
    assert list(tagged["ner"]) == [tag for part in stored for tag in model.predict(part)]
    assert list(tagged["word"]) == [word for part in stored for word in part["word"]]
    assert list(tagged["text_index"]) == [0] * 5 + [2] * 5


def test_words_frame_names_every_row_of_a_word_view(config):
    features = TextFeatures(config, "last")
    texts = ["don't stop", ["two words", "", "\u200b"], "", ("x",)]
    frame = features.words_frame(texts)
    assert list(frame.columns) == ["text_index", "row", "word_index", "word"]
    assert frame["word"].tolist() == ["don", "'", "t", "stop", "two words", "", "\u200b", "x"]
    assert frame["text_index"].tolist() == [0, 0, 0, 0, 1, 1, 1, 3]
    assert frame["word_index"].tolist() == [0, 1, 2, 3, 0, 1, 2, 0]
    assert frame["row"].tolist() == list(range(8))
    vectors = features.transform(texts)
    assert len(vectors) == len(frame)
    np.testing.assert_array_equal(vectors.any(axis=1), ~frame["word"].isin(["", "\u200b"]))
    assert features.words_frame([]).shape == (0, 4)


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, lambda texts: pd.Series(texts, dtype=object), iter])
def test_texts_come_in_any_one_dimensional_container(config, container):
    features = TextFeatures(config, "mean")
    np.testing.assert_array_equal(features.transform(container(TEXTS)), features.transform(TEXTS))


def test_empty_texts_keep_their_row(config):
    texts = ["", "a fox", " ", [], "a bank", ""]
    mean = TextFeatures(config, "mean").transform(texts)
    np.testing.assert_array_equal(mean.any(axis=1), [False, True, False, False, True, False])
    cls = TextFeatures(config, "cls").transform(texts)
    assert cls.shape == (6, HIDDEN_SIZE)
    assert cls.any(axis=1).all()
    assert TextFeatures(config, "last").transform(texts).shape == (4, HIDDEN_SIZE)


@pytest.mark.parametrize("texts", [[], ["", ""], pd.Series([], dtype=str)])
def test_texts_without_words_give_a_matrix_without_rows_in_a_word_view(config, texts):
    assert TextFeatures(config, "last").transform(texts).shape == (0, HIDDEN_SIZE)
    assert TextFeatures(config, "all_layers", "concat_last_four").transform(texts).shape == (0, 4 * HIDDEN_SIZE)
    assert TextFeatures(config, "mean").transform(texts).shape == (len(texts), HIDDEN_SIZE)


def test_each_text_is_embedded_by_itself(config):
    features = TextFeatures(config, "mean")
    alone = np.concatenate([features.transform([text]) for text in TEXTS])
    np.testing.assert_allclose(features.transform(TEXTS), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("context", ["sentence", "document"])
def test_one_text_is_no_context_of_another(config, context):
    features = TextFeatures(config | {"context": {"type": context}}, "mean")
    alone = np.concatenate([features.transform([text]) for text in TEXTS])
    np.testing.assert_allclose(features.transform(TEXTS), alone, atol=1e-5, rtol=1e-5)


def test_config_may_be_a_path_a_dict_a_store_or_the_path_of_one(config, store, store_path, tmp_path):
    file = tmp_path / "config.jsonnet"
    file.write_text(json.dumps(config))
    expected = TextFeatures(config, "mean").transform(TEXTS)
    for source in (file, str(file), store, store_path, str(store_path)):
        np.testing.assert_array_equal(TextFeatures(source, "mean").transform(TEXTS), expected)


def test_the_encoder_is_loaded_once_and_only_when_it_is_needed(config, loads):
    features = TextFeatures(config, "mean").fit(TEXTS)
    assert loads == []
    for view in ("mean", "cls"):
        features.set_params(view=view).fit_transform(TEXTS)
    features.words_frame(TEXTS)
    assert len(loads) == 1
    features.set_params(config=dict(config)).transform(TEXTS)
    assert len(loads) == 2


def test_the_encoder_is_no_part_of_a_clone_or_a_pickle(config, loads):
    features = TextFeatures(config, "mean")
    expected = features.transform(TEXTS)
    data = pickle.dumps(features)
    assert len(data) < 3000
    for copy in (pickle.loads(data), clone(features)):
        assert "_loaded" not in vars(copy)
        np.testing.assert_array_equal(copy.transform(TEXTS), expected)
    assert len(loads) == 3


def test_only_the_view_that_is_asked_for_is_computed(config, monkeypatch):
    features = TextFeatures(config, "mean")
    features.transform(["a"])
    embedder = features._embedder()
    asked = []
    encode = embedder.encoder.encode
    monkeypatch.setattr(embedder.encoder, "encode", lambda batch, layers: asked.append(set(layers)) or encode(batch, asked[-1]))
    features.transform(["a"])
    assert asked == [{4}]


def test_live_features_have_the_names_of_the_stored_ones(store):
    features = StoreFeatures(store, "all_sentences", "mean_all")
    frame = features.for_text().set_output(transform="pandas").transform(pd.Series(["a", "b"], index=[7, 9]))
    assert list(frame.columns) == list(features.get_feature_names_out())
    assert frame.shape == (2, HIDDEN_SIZE)


# Errors


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", None], r"text 1: expected a string or a list of words, found None \(NoneType\)"),
        (["a", "b", float("nan")], r"text 2: expected a string or a list of words, found nan \(float\)"),
        (pd.Series(["a", None], dtype="str"), r"text 1: expected a string or a list of words, found nan"),
        ([["a", 3]], r"text 0: word 1 is 3 \(int\), expected a string"),
        ([b"a"], r"text 0: .* found b'a' \(bytes\)"),
        ("a text", "found one string .'a text'.. Put it into a list"),
        (pd.DataFrame({"text": ["a"]}), r"found DataFrame of shape \(1, 1\). Give one column"),
        (np.array([["a"], ["b"]]), r"found ndarray of shape \(2, 1\)"),
        ({"a": "b"}, "found dict"),
        (5, "found int"),
    ],
)
def test_what_is_no_text_is_refused_with_its_index(config, texts, message):
    features = TextFeatures(config, "mean")
    for call in (features.fit, features.transform, features.words_frame):
        with pytest.raises(FeaturesError, match=message):
            call(texts)


def test_a_view_that_is_not_there_is_named(config, store):
    with pytest.raises(FeaturesError, match=r"has no view 'men'. Did you mean 'mean'"):
        TextFeatures(config, "men").transform(["a"])
    with pytest.raises(FeaturesError, match="has 8 views; choose one"):
        TextFeatures(store).transform(["a"])
    with pytest.raises(FeaturesError, match="keeps its 5 layers apart"):
        TextFeatures(store, "all_layers").transform(["a"])


def test_a_wrong_config_is_an_error_of_the_config(config, tmp_path):
    with pytest.raises(ConfigError, match="encoder"):
        TextFeatures({key: config[key] for key in ("corpus", "views")}, "mean").transform(["a"])
    with pytest.raises(StoreError, match="missing"):
        TextFeatures(tmp_path / "missing.h5", "mean").transform(["a"])
    with pytest.raises(ConfigError, match="missing"):
        TextFeatures(tmp_path / "missing.jsonnet", "mean").transform(["a"])


@pytest.fixture
def own_model(config, tmp_path):
    """A copy of the model that a test may change, and a config that names it."""
    folder = shutil.copytree(config["encoder"]["model"], tmp_path / "model")
    config["encoder"]["model"] = str(folder)
    return folder, config


def test_an_encoder_whose_files_changed_is_refused_and_the_files_are_named(own_model, write_store, tmp_path):
    folder, config = own_model
    path = write_store(tmp_path / "own.h5", config)
    assert TextFeatures(path, "mean").transform(["a"]).shape == (1, HIDDEN_SIZE)
    settings = folder / "tokenizer_config.json"
    settings.write_text(settings.read_text() + "\n")
    (folder / "vocab.txt").write_text("new")
    with pytest.raises(
        FeaturesError, match=r"is not the one .*own.h5 was made with \(changed: tokenizer_config.json; added: vocab.txt\)"
    ):
        TextFeatures(path, "mean").transform(["a"])
    assert TextFeatures(embedpipe.open_store(path).provenance["config"], "mean").transform(["a"]).shape == (1, HIDDEN_SIZE)


def test_a_model_that_is_gone_is_an_error_of_the_encoder(own_model, write_store, tmp_path):
    folder, config = own_model
    path = write_store(tmp_path / "own.h5", config)
    shutil.rmtree(folder)
    with pytest.raises(EncoderError, match="does not exist"):
        TextFeatures(path, "mean").transform(["a"])


def test_a_store_without_a_config_says_so(config, write_store, tmp_path):
    path = write_store(tmp_path / "bare.h5", config, without="config")
    with pytest.raises(FeaturesError, match="does not say with which config it was made"):
        TextFeatures(path, "mean").transform(["a"])
