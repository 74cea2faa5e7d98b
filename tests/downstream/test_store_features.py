from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from tiny_models import HIDDEN_SIZE

from embedpipe.downstream import StoreFeatures
from embedpipe.errors import FeaturesError, NotAStoreError, StoreError
from embedpipe.layers import NAMED, Concat, Layer, ScalarMix, WeightedSum
from embedpipe.store import Store, StoreWriter, open_store

ONE_VECTOR = [name for name, combination in NAMED.items() if not combination.stacked]


def rows_of(store, view, rows):
    return np.asarray(store.matrix(view), dtype=np.float32)[rows]


@pytest.mark.parametrize("view", ["last", "sum_last_four"])
def test_a_words_frame_gives_the_vectors_of_its_words(store, view):
    words = store.words_frame()
    vectors = StoreFeatures(store, view).fit_transform(words)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(words), HIDDEN_SIZE)
    for id in store.ids:
        np.testing.assert_array_equal(vectors[words["sentence_id"] == id], store.vectors(view, id))


@pytest.mark.parametrize("view", ["mean", "cls"])
def test_a_sentences_frame_gives_the_vectors_of_its_sentences(store, view):
    vectors = StoreFeatures(store, view).transform(store.sentences_frame())
    np.testing.assert_array_equal(vectors, [store.vectors(view, id) for id in store.ids])


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_part_of_a_frame_in_any_order_gives_the_same_rows(store_path, data):
    with open_store(store_path) as store:
        words = store.words_frame()
        rows = data.draw(st.lists(st.integers(0, len(words) - 1), max_size=40))
        features, expected = StoreFeatures(store, "last"), rows_of(store, "last", rows)
        np.testing.assert_array_equal(features.transform(words.iloc[rows]), expected)
        np.testing.assert_array_equal(features.transform(words.iloc[rows]["row"]), expected)
        np.testing.assert_array_equal(features.transform(words.iloc[rows][["row"]]), expected)
        np.testing.assert_array_equal(features.transform(rows), expected)
        np.testing.assert_array_equal(features.transform(np.array(rows, dtype=object).reshape(-1, 1)), expected)


def test_sentence_ids_give_the_vectors_of_their_sentences(store):
    ids = ["doc-3/1", "doc-0/0", "doc-3/1"]
    expected = np.stack([store.vectors("mean", id) for id in ids])
    frame = store.sentences_frame().set_index("sentence_id", drop=False).loc[ids]
    for chosen in (ids, np.array(ids), np.array(ids)[:, None], pd.Series(ids), pd.Categorical(ids), frame[["sentence_id"]]):
        np.testing.assert_array_equal(StoreFeatures(store, "mean").transform(chosen), expected)


def test_a_subword_view_is_read_by_the_frame_of_subwords_or_by_row_numbers(store):
    frame = store.subwords_frame()
    np.testing.assert_array_equal(StoreFeatures(store, "pieces").transform(frame), store.matrix("pieces")[:])
    of_word = frame[frame["word_index"] == 1]
    expected = store.matrix("pieces")[of_word["row"].to_numpy()]
    assert 0 < len(of_word) < len(frame)
    np.testing.assert_array_equal(StoreFeatures(store, "pieces").transform(of_word), expected)
    rows = np.arange(*store.rows("pieces", "doc-1/2").indices(10**6))
    np.testing.assert_array_equal(StoreFeatures(store, "pieces").transform(rows), store.vectors("pieces", "doc-1/2"))


def test_no_rows_give_a_matrix_without_rows(store):
    assert StoreFeatures(store, "last").transform([]).shape == (0, HIDDEN_SIZE)
    assert StoreFeatures(store, "all_layers", "concat_last_four").transform(store.words_frame()[:0]).shape == (
        0,
        4 * HIDDEN_SIZE,
    )


def test_many_rows_are_read_in_portions_and_come_in_order(store, monkeypatch):
    monkeypatch.setattr("embedpipe.downstream.store_features._ROWS_AT_A_TIME", 7)
    rows = np.random.default_rng(0).integers(0, store.num_words, 100)
    np.testing.assert_array_equal(StoreFeatures(store, "last").transform(rows), rows_of(store, "last", rows))


@pytest.mark.parametrize(
    "layers", [*ONE_VECTOR, Layer(2), Concat((3, 0)), WeightedSum((1, 0, 2, 0, -1)), ScalarMix((0, 1, 2), (1, 2, 4))]
)
def test_one_stored_stack_serves_every_combination(store, layers):
    words = store.words_frame()
    stacked = rows_of(store, "all_layers", words["row"].to_numpy())
    expected = {
        "embeddings": lambda: stacked[:, 0],
        "first": lambda: stacked[:, 1],
        "second_to_last": lambda: stacked[:, -2],
        "last": lambda: stacked[:, -1],
        "sum_last_four": lambda: stacked[:, -4:].sum(axis=1),
        "mean_last_four": lambda: stacked[:, -4:].mean(axis=1),
        "concat_last_four": lambda: stacked[:, -4:].reshape(len(stacked), -1),
        "sum_all": lambda: stacked[:, 1:].sum(axis=1),
        "mean_all": lambda: stacked[:, 1:].mean(axis=1),
        Layer(2): lambda: stacked[:, 2],
        Concat((3, 0)): lambda: np.concatenate([stacked[:, 3], stacked[:, 0]], axis=1),
        WeightedSum((1, 0, 2, 0, -1)): lambda: stacked[:, 0] + 2 * stacked[:, 2] - stacked[:, 4],
        ScalarMix((0, 1, 2), (1, 2, 4)): lambda: np.tensordot(
            np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum(), stacked[:, [1, 2, 4]], (0, 1)
        ),
    }[layers]()
    np.testing.assert_allclose(StoreFeatures(store, "all_layers", layers).transform(words), expected, atol=1e-5, rtol=1e-5)


def test_a_combination_of_the_stack_equals_the_view_stored_with_that_combination(store):
    words = store.words_frame()
    combined = StoreFeatures(store, "all_layers", "sum_last_four").transform(words)
    np.testing.assert_allclose(combined, StoreFeatures(store, "sum_last_four").transform(words), atol=1e-5, rtol=1e-5)


def test_a_stack_of_some_layers_finds_them_by_their_numbers(store):
    rows = np.arange(store.num_words)
    np.testing.assert_array_equal(
        StoreFeatures(store, "ends", "last").transform(rows), StoreFeatures(store, "all_layers", "last").transform(rows)
    )


@pytest.mark.parametrize("by_path", [False, True])
def test_a_copy_a_clone_and_a_pickle_give_the_same_vectors(store, store_path, by_path):
    features = StoreFeatures(str(store_path) if by_path else store, "all_layers", ScalarMix((0, 1, 2, 3, 4)))
    rows = np.arange(50)
    for other in (clone(features), pickle.loads(pickle.dumps(features)), clone(features.fit(rows))):
        np.testing.assert_array_equal(other.transform(rows), features.transform(rows))


def test_the_constructor_keeps_its_arguments_as_they_are(store, store_path):
    for given_store in (store, store_path, str(store_path)):
        params = StoreFeatures(given_store, view="nonsense", layers="nonsense").get_params()
        assert params == {"store": given_store, "view": "nonsense", "layers": "nonsense"}
        assert params["store"] is given_store


def test_transform_needs_no_fit_and_fit_learns_nothing(store):
    words = store.words_frame()
    features = StoreFeatures(store, "last")
    before = features.transform(words)
    np.testing.assert_array_equal(features.fit(words[:3]).transform(words), before)
    assert features.n_features_in_ == 1


def test_features_are_named_after_view_and_layers(store):
    words = store.words_frame()
    assert list(StoreFeatures(store, "last").get_feature_names_out()[:2]) == ["last_0", "last_1"]
    features = StoreFeatures(store, "all_layers", "concat_last_four").set_output(transform="pandas")
    frame = features.fit_transform(words[5:9])
    assert list(frame.columns) == [f"all_layers_concat_last_four_{column}" for column in range(4 * HIDDEN_SIZE)]
    assert list(frame.index) == [5, 6, 7, 8]
    assert StoreFeatures(store, "all_layers", Layer(1)).get_feature_names_out()[0] == "all_layers_layer_0"


def test_vectors_stand_beside_other_columns_in_a_column_transformer(store):
    words = store.words_frame()
    both = make_column_transformer((StoreFeatures(store, "last"), ["row"]), ("passthrough", ["word_index"]))
    matrix = both.fit_transform(words)
    np.testing.assert_array_equal(matrix[:, :-1], rows_of(store, "last", slice(None)))
    np.testing.assert_array_equal(matrix[:, -1], words["word_index"])


def test_a_float16_store_gives_float32_vectors(store, tmp_path):
    blocks, infos = _renamed(store, dtype="float16")
    with StoreWriter(tmp_path / "half.h5", infos) as writer:
        writer.append(blocks, 0)
        writer.finish({"encoder": {"num_layers": 4}})
    half, rows = tmp_path / "half.h5", np.arange(20)
    for view, layers in (("last", None), ("all_layers", "sum_last_four")):
        vectors = StoreFeatures(half, view, layers).transform(rows)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, StoreFeatures(store, view, layers).transform(rows), rtol=0, atol=2e-2)


def _renamed(store, *, dtype="float32", views=("last", "all_layers")):
    """The store's own sentences in one block, for stores that differ from it."""
    from dataclasses import replace

    from embedpipe.dataflow import Block, Sentence

    sentences = tuple(Sentence.from_words(s.id, s.document, s.words) for s in store)
    block = Block(
        sentences=sentences,
        sentence_flags=np.zeros(len(store), np.int64),
        word_flags=np.zeros(store.num_words, np.int64),
        num_subwords=np.array([s.num_subwords for s in store]),
        subword_ids=np.array([id for s in store for id in s.subword_ids]),
        word_offsets=np.array([span for s in store for span in s.word_subwords]),
        views={view: np.asarray(store.matrix(view)) for view in views},
    )
    return block, {view: replace(store.views[view], dtype=dtype) for view in views}


# Errors


@pytest.mark.parametrize(
    ("view", "layers", "message"),
    [
        (None, None, "has 8 views; choose one with view=.*last, mean, pieces, sum_last_four"),
        ("lst", None, "no view 'lst'. Did you mean 'last'\\? It has: .*last, mean"),
        ("all_layers", None, "keeps its 5 layers apart. Choose .* with layers=: one of embeddings, first"),
        ("all_layers", "sum_last_fuor", "'sum_last_fuor' is not a layer combination. Did you mean 'sum_last_four'"),
        ("all_layers", "all", "keeps the layers apart and makes no vector"),
        ("all_layers", Layer(9), "layer 9 does not exist: the encoder has 4 layers"),
        ("all_layers", 3, "expected a name or a combination of embedpipe.layers, found 3"),
        ("all_layers", Layer, "expected a name or a combination of embedpipe.layers, found <class"),
        ("ends", "sum_last_four", "layer 1 is needed, and the view holds only 0, 4"),
        ("last", "sum_all", r"combined already \(last\).*take a stacked view \(all_layers, all_sentences, ends\)"),
    ],
)
def test_a_view_or_layers_that_are_not_there_are_named_in_fit_and_transform(store, view, layers, message):
    features = StoreFeatures(store, view, layers)
    for call in (features.fit, features.transform):
        with pytest.raises(FeaturesError, match=message):
            call([0])
    with pytest.raises(ValueError, match=message):
        features.get_feature_names_out()


def test_the_only_view_needs_no_name(store, tmp_path):
    block, infos = _renamed(store, views=("last",))
    with StoreWriter(tmp_path / "one.h5", infos) as writer:
        writer.append(block, 0)
        writer.finish({})
    np.testing.assert_array_equal(StoreFeatures(tmp_path / "one.h5").transform([3]), rows_of(store, "last", [3]))


def test_a_store_that_does_not_know_its_encoder_says_so(store, tmp_path):
    block, infos = _renamed(store)
    with StoreWriter(tmp_path / "bare.h5", infos) as writer:
        writer.append(block, 0)
        writer.finish({})
    with pytest.raises(FeaturesError, match="not on record how many layers"):
        StoreFeatures(tmp_path / "bare.h5", "all_layers", "last").fit([0])


@pytest.mark.parametrize(
    ("view", "rows", "message"),
    [
        ("last", [219], "row 219 is not in view 'last' of .*, which has 219 rows"),
        ("last", [0, -1], "row -1 is not in view 'last'"),
        ("last", [0.0, 1.0], "found an array of float64"),
        ("last", [True, False], "found a mask .numpy.flatnonzero"),
        ("last", ["doc-0/0"], "Its rows are words. Expected store.words_frame.* found strings .'doc-0/0'"),
        ("pieces", ["doc-0/0"], "Its rows are subwords. Expected store.subwords_frame()"),
        ("mean", ["doc-0/99"], "has no sentence 'doc-0/99'"),
        ("mean", "doc-0/0", "found one string"),
        ("mean", [["doc-0/0", "doc-0/1"]], r"found list of shape \(1, 2\)"),
        ("mean", [[0], [1, 2]], "found a nested list"),
        ("mean", [None, 1], "found an array of objects, such as None"),
        ("mean", 7, r"found int of shape \(\)"),
        ("mean", pd.DataFrame({"text": ["a"], "label": ["b"]}), "without the column 'row' .it has: text, label"),
    ],
)
def test_rows_that_are_none_are_refused_with_what_was_found_and_expected(store, view, rows, message):
    for call in (StoreFeatures(store, view).fit, StoreFeatures(store, view).transform):
        with pytest.raises(FeaturesError, match=message):
            call(rows)


def test_a_frame_of_the_wrong_unit_is_refused(store):
    with pytest.raises(FeaturesError, match=r"Its rows are words.*found a frame of sentences"):
        StoreFeatures(store, "last").fit(store.sentences_frame())
    with pytest.raises(FeaturesError, match=r"Its rows are sentences.*found a frame of words"):
        StoreFeatures(store, "mean").fit(store.words_frame())
    with pytest.raises(FeaturesError, match=r"Its rows are subwords.*found a frame of words"):
        StoreFeatures(store, "pieces").fit(store.words_frame())
    with pytest.raises(FeaturesError, match=r"Its rows are words.*found a frame of subwords"):
        StoreFeatures(store, "last").fit(store.subwords_frame())


def test_a_frame_of_another_store_is_refused(store):
    words = store.words_frame()
    shifted = words.assign(row=words["row"].to_numpy()[::-1])
    with pytest.raises(FeaturesError, match="row 218 is of sentence 'doc-0/0', but that sentence has the rows 0 to 4"):
        StoreFeatures(store, "last").transform(shifted)
    foreign = words.assign(sentence_id="elsewhere")
    with pytest.raises(FeaturesError, match=r"sentence 'elsewhere', but .* has no such sentence"):
        StoreFeatures(store, "last").transform(foreign)


def test_a_path_that_is_no_store_is_an_error_of_the_store(tmp_path):
    with pytest.raises(StoreError, match="missing"):
        StoreFeatures(tmp_path / "missing.h5", "last").fit([0])
    (tmp_path / "other.h5").write_text("{}")
    with pytest.raises(NotAStoreError):
        StoreFeatures(tmp_path / "other.h5", "last").fit([0])
    with pytest.raises(FeaturesError, match="expected an open store or the path of one, found 3"):
        StoreFeatures(3, "last").fit([0])


# Model selection


def test_a_grid_searches_over_views_with_documents_kept_together(store):
    words = store.words_frame()
    model = make_pipeline(StoreFeatures(store), LogisticRegression(max_iter=1000))
    grid = [
        {"storefeatures__view": ["last", "sum_last_four"]},
        {"storefeatures__view": ["all_layers"], "storefeatures__layers": ["embeddings", "concat_last_four", Layer(2)]},
    ]
    search = GridSearchCV(model, grid, cv=GroupKFold(3), error_score="raise")
    search.fit(words, words["ner"], groups=words["document"])
    assert len(search.cv_results_["params"]) == 5
    assert search.best_score_ > 0.9  # whether a word is one of three cities
    assert set(search.predict(words[:4])) <= {"B-LOC", "O"}


@pytest.fixture
def no_worker_stays():
    """joblib keeps its workers for five minutes; other tests ask whether theirs have ended."""
    yield
    get_reusable_executor().shutdown(wait=True)


def test_a_grid_search_in_worker_processes_gives_the_same_scores(store, no_worker_stays):
    sentences = store.sentences_frame()
    model = make_pipeline(StoreFeatures(store), LogisticRegression(max_iter=1000))
    scores = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            model, {"storefeatures__view": ["mean", "cls"]}, cv=GroupKFold(2), n_jobs=n_jobs, error_score="raise"
        )
        search.fit(sentences, sentences["topic"], groups=sentences["document"])
        scores.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(scores[0], scores[1])


def test_a_split_by_document_leaves_no_document_on_both_sides(store):
    words = store.words_frame()
    train, test = next(GroupShuffleSplit(1, test_size=0.34, random_state=0).split(words, groups=words["document"]))
    assert not set(words["document"].iloc[train]) & set(words["document"].iloc[test])
    model = make_pipeline(StoreFeatures(store, "all_layers", "embeddings"), LogisticRegression(max_iter=1000))
    model.fit(words.iloc[train], words["ner"].iloc[train])
    assert model.score(words.iloc[test], words["ner"].iloc[test]) > 0.9


def test_train_test_split_and_cross_validation_take_frames_rows_and_ids(store):
    sentences = store.sentences_frame()
    model = make_pipeline(StoreFeatures(store, "all_sentences", "embeddings"), LogisticRegression(max_iter=1000))
    train, test, y_train, y_test = train_test_split(sentences, sentences["topic"], random_state=0, stratify=sentences["topic"])
    model.fit(train, y_train)
    assert model.score(test, y_test) == model.score(test["row"], y_test) == model.score(test["sentence_id"], y_test) > 0.25
    scores = [
        cross_val_score(model, rows, sentences["topic"], groups=sentences["document"], cv=GroupKFold(3))
        for rows in (sentences, np.arange(len(store)), list(store.ids))
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])


def test_a_store_given_as_a_path_is_closed_after_each_call(store_path, monkeypatch):
    closed = []
    close = Store.close
    monkeypatch.setattr(Store, "close", lambda self: closed.append(self) or close(self))
    StoreFeatures(store_path, "last").fit_transform([0])
    assert len(closed) == 2


def test_features_of_another_kind_than_those_it_was_fitted_on_are_refused(
    store, whole_config, write_store, tiny_model, tmp_path
):
    features = StoreFeatures(store, view="mean").fit(store.ids[:5])
    same = write_store(tmp_path / "same.h5", whole_config)
    assert features.set_params(store=same).transform(store.ids[:5]).shape == (5, 32)
    with pytest.raises(FeaturesError, match=r"another kind of features .*pooling: mean then, cls now"):
        features.set_params(view="cls").transform(store.ids[:5])
    encoder = whole_config["encoder"] | {"model": str(tiny_model("electra"))}
    other = write_store(tmp_path / "other.h5", whole_config | {"encoder": encoder})
    with pytest.raises(FeaturesError, match=r"other\.h5 has another kind of features .*model \(sha256 of its files\)"):
        features.set_params(store=other, view="mean").transform(store.ids[:5])
    assert features.fit(store.ids[:5]).transform(store.ids[:5]).shape == (5, 32)
