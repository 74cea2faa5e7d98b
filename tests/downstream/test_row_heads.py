"""Heads without epochs: they predict what scikit-learn's own models do, within groups where there are any."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from embedpipe.downstream.examples import NO_CODE, Examples
from embedpipe.downstream.heads import nearest_neighbors, row_head
from embedpipe.downstream.heads.linear_svm import LinearSvmHead
from embedpipe.downstream.heads.logistic_regression import LogisticRegressionHead
from embedpipe.downstream.heads.nearest_neighbors import KNearestHead
from embedpipe.errors import FeaturesError

HEADS = [LogisticRegressionHead(), LinearSvmHead(), KNearestHead(), KNearestHead(metric="euclidean")]
TAGS = ("O", "A", "B", "C")
each_head = pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{type(head).__name__}-{getattr(head, 'metric', '')}")


class Selected(SimpleNamespace):
    """A selection that gives the rows as they are."""

    view, learned = "last", False

    def vectors(self, rows):
        return np.asarray(rows, np.float32)


class InMemory(SimpleNamespace):
    """A store of one view, which counts the rows that are read."""

    source = "features.h5"

    def matrix(self, view):
        return self

    def __getitem__(self, rows):
        self.num_read += len(rows)
        return self.rows[rows]


def examples_of(vectors, codes, *, groups=None, length=5, start=0):
    """Examples of sentences of ``length`` rows, which begin at row ``start`` of the view."""
    vectors, codes = np.asarray(vectors, np.float32), np.asarray(codes, np.int64)
    rows = np.concatenate([np.full((start, vectors.shape[1]), np.nan, np.float32), vectors])
    starts = np.arange(start, len(rows), length)
    lengths = np.diff([*starts, len(rows)])
    groups = None if groups is None else np.array(groups, dtype=object)
    store = InMemory(rows=rows, num_read=0)
    return Examples(store, Selected(vector_size=vectors.shape[1]), np.arange(len(starts)), starts, lengths, codes, TAGS, groups)


def blobs(seed=0, num_rows=200, size=6, num_tags=4):
    """Rows that lie around a center for each tag, far from the origin and of unequal scale."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, num_tags, num_rows)
    centers = np.random.default_rng(99).normal(size=(len(TAGS), size))
    vectors = (centers[codes] + random.normal(size=(num_rows, size))) * (np.arange(size) + 1) + 3
    return vectors.astype(np.float32), codes


def same_as(head, sklearn_model, train, test):
    fitted = head.fit(examples_of(*train), examples_of(*test), seed=0)
    expected = sklearn_model.fit(*train).predict(test[0])
    predicted = fitted.predict(examples_of(*test, start=7))
    assert (predicted == expected).mean() >= 0.995  # rows on the very border may fall to either side
    assert fitted.mix is None
    assert fitted.epochs == ()


@pytest.mark.parametrize("num_tags", [2, 4])
@pytest.mark.parametrize("standardize", [True, False])
def test_logistic_regression_is_that_of_sklearn(num_tags, standardize):
    model = LogisticRegression(C=0.5, max_iter=1000, tol=1e-5)
    model = make_pipeline(StandardScaler(), model) if standardize else model
    head = LogisticRegressionHead(C=0.5, max_iter=1000, tol=1e-5, standardize=standardize)
    same_as(head, model, blobs(num_tags=num_tags), blobs(1, num_rows=400, num_tags=num_tags))


@pytest.mark.parametrize("num_tags", [2, 4])
@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_the_linear_svm_is_that_of_sklearn(num_tags, strength):
    model = make_pipeline(StandardScaler(), LinearSVC(C=strength, dual=False, tol=1e-6))
    same_as(LinearSvmHead(C=strength, tol=1e-5), model, blobs(num_tags=num_tags), blobs(1, num_rows=400, num_tags=num_tags))


def test_the_weights_of_the_linear_svm_are_those_of_sklearn():
    vectors, codes = blobs()
    vectors = StandardScaler().fit_transform(vectors)
    expected = LinearSVC(C=0.1, dual=False, tol=1e-8).fit(vectors, codes)
    found = LinearSvmHead(C=0.1, tol=1e-6, standardize=False).fit(examples_of(vectors, codes), examples_of(vectors, codes))
    (model,) = found.models.values()
    np.testing.assert_allclose(model.weights, expected.coef_, atol=1e-4)
    np.testing.assert_allclose(model.bias, expected.intercept_, atol=1e-4)


@pytest.mark.parametrize("head", [LogisticRegressionHead(max_iter=1), LinearSvmHead(max_iter=1)])
def test_too_few_iterations_are_a_warning(head):
    with pytest.warns(ConvergenceWarning, match="converge"):
        head.fit(examples_of(*blobs()), examples_of(*blobs()))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("blocks", [(512, 8192), (7, 11)])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_nearest_neighbours_are_those_of_sklearn(metric, blocks, seed):
    train, test = blobs(seed, num_rows=60, num_tags=2), blobs(seed + 1, num_rows=40, num_tags=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_neighbors, "_ASKED_AT_A_TIME", blocks[0])
        patch.setattr(nearest_neighbors, "_KNOWN_AT_A_TIME", blocks[1])
        for k in (1, 5):  # odd, and two tags: no ties
            predicted = KNearestHead(k, metric).fit(examples_of(*train), examples_of(*test)).predict(examples_of(*test))
            expected = KNeighborsClassifier(k, metric=metric, algorithm="brute").fit(*train).predict(test[0])
            np.testing.assert_array_equal(predicted, expected)


def test_of_tags_with_as_many_votes_the_nearest_wins():
    train = examples_of([[1, 0], [1, 0.1], [1, 0.2], [1, 0.3], [0, 1]], [2, 1, 1, 2, 3])
    fitted = KNearestHead(k=4).fit(train, train)
    np.testing.assert_array_equal(fitted.predict(examples_of([[1, -0.1], [1, 0.14]], [0, 0])), [2, 1])


def test_more_neighbours_than_rows_are_all_rows():
    train = examples_of([[1, 0], [1, 0.1], [0, 1]], [1, 1, 2])
    assert KNearestHead(k=50).fit(train, train).predict(examples_of([[0, 1]], [0])).tolist() == [1]


def test_a_zero_vector_is_at_a_right_angle_to_all():
    train = examples_of([[0, 0], [1, 1], [-1, -1]], [1, 2, 3])
    fitted = KNearestHead(k=1).fit(train, train)
    assert fitted.predict(examples_of([[1, 0], [-1, 0]], [0, 0])).tolist() == [2, 3]
    assert len(fitted.predict(examples_of([[0, 0]], [0]))) == 1


def test_a_common_offset_does_not_drown_euclidean_distances():
    vectors, codes = blobs(num_rows=100)
    far = vectors.astype(np.float64) + 1e4
    near, off = (KNearestHead(1, "euclidean").fit(examples_of(some, codes), None) for some in (vectors, far))
    agree = near.predict(examples_of(vectors + 0.01, codes)) == off.predict(examples_of(far + 0.01, codes))
    assert agree.mean() > 0.97


@each_head
def test_rows_without_a_label_are_not_learned_from_but_get_a_prediction(head):
    vectors, codes = blobs()
    unlabelled = np.arange(len(codes)) % 3 == 0
    train = examples_of(vectors, np.where(unlabelled, NO_CODE, codes))
    fitted = head.fit(train, train)
    assert train.store.num_read == (~unlabelled).sum()
    only = head.fit(examples_of(vectors[~unlabelled], codes[~unlabelled]), train)
    np.testing.assert_array_equal(fitted.predict(train), only.predict(train))
    assert (fitted.predict(train) != NO_CODE).all()


@each_head
def test_some_of_the_sentences_in_any_order_are_predicted_in_that_order(head):
    train = examples_of(*blobs())
    fitted = head.fit(train, train)
    chosen = np.random.default_rng(0).permutation(len(train.sentences))[:15]
    some = train.take(chosen)
    whole = dataclasses.replace(train, codes=fitted.predict(train))
    np.testing.assert_array_equal(fitted.predict(some), whole.codes_of(chosen))
    np.testing.assert_array_equal(head.fit(train, train).predict(some), fitted.predict(some))  # and so once more


@each_head
def test_rows_are_read_in_parts_of_the_same_answer(head, monkeypatch):
    train, test = examples_of(*blobs()), examples_of(*blobs(1))
    expected = head.fit(train, test).predict(test)
    monkeypatch.setattr(row_head, "ROWS_AT_A_TIME", 17)
    np.testing.assert_array_equal(head.fit(train, test).predict(test), expected)


@each_head
def test_each_group_is_a_model_of_its_own(head):
    """Two lemmas: the tags A and B of the one, B and C of the other; rows of no lemma lie between them."""
    vectors, codes = blobs(num_rows=300, num_tags=2)
    lemma = np.array(["bank", "stick", ""], dtype=object)[np.arange(300) % 3]
    codes = np.where(lemma == "bank", codes + 1, np.where(lemma == "stick", codes + 2, NO_CODE))
    train = examples_of(vectors, codes, groups=lemma)
    predicted = head.fit(train, train).predict(train)
    for name, tags in (("bank", {1, 2}), ("stick", {2, 3}), ("", {NO_CODE})):
        of_this = lemma == name
        assert set(predicted[of_this].tolist()) <= tags
        if name:
            alone = examples_of(vectors[of_this], codes[of_this])
            np.testing.assert_array_equal(predicted[of_this], head.fit(alone, alone).predict(alone))


@each_head
def test_a_group_with_one_tag_gets_it_and_a_group_never_seen_gets_none(head):
    train = examples_of([[1, 0], [0, 1], [1, 1], [2, 1]], [1, 2, 3, 3], groups=["bank", "bank", "stick", "stick"])
    test = examples_of([[0, 3], [9, 9], [1, 0]], [0, 0, 0], groups=["stick", "spring", "bank"])
    predicted = head.fit(train, train).predict(test)
    assert predicted[:2].tolist() == [3, NO_CODE]
    assert predicted[2] in (1, 2)


@each_head
def test_rows_in_groups_and_rows_that_are_not_do_not_mix(head):
    with_groups = examples_of([[1, 0], [0, 1]], [1, 2], groups=["bank", "bank"])
    without = examples_of([[1, 0], [0, 1]], [1, 2])
    with pytest.raises(FeaturesError, match="in groups, or none of them"):
        head.fit(with_groups, with_groups).predict(without)
    with pytest.raises(FeaturesError, match="in groups, or none of them"):
        head.fit(without, without).predict(with_groups)


@each_head
def test_nothing_to_predict_is_no_codes(head):
    train = examples_of(*blobs())
    empty = train.take(np.zeros(0, np.int64))
    assert head.fit(train, train).predict(empty).shape == (0,)


@each_head
@pytest.mark.parametrize(("codes", "found"), [([1, 1, NO_CODE], "only 'A'"), ([NO_CODE] * 3, "no label at all")])
def test_nothing_to_learn_from_is_named(head, codes, found):
    train = examples_of(np.ones((3, 2)), codes)
    with pytest.raises(FeaturesError, match=rf"{type(head).__name__}: the 3 rows of 1 sentences of features.h5 have {found}"):
        head.fit(train, train)


@each_head
def test_a_mix_of_layers_is_refused(head):
    train = examples_of(*blobs())
    train = dataclasses.replace(train, selection=Selected(vector_size=6, learned=True))
    with pytest.raises(FeaturesError, match=r"cannot learn how to mix layers.*LinearHead"):
        head.fit(train, train)
    assert not head.learns_mix
    assert not head.uses_seed
