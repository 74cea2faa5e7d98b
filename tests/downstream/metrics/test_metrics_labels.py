"""Labels that are no entities, and confusions of all kinds."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from embedpipe.downstream.metrics import confusion, confusion_tags, per_type, score_tags, sentence_counts
from embedpipe.errors import FeaturesError

LABELS = ["NOUN", "VERB", "ADP", "X"]
pairs_of_sentences = st.lists(
    st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=6), min_size=1, max_size=6
).map(lambda sentences: tuple([[pair[side] for pair in sentence] for sentence in sentences] for side in (0, 1)))


@given(pairs=pairs_of_sentences)
def test_accuracy_and_macro_f1_are_those_of_sklearn(pairs):
    rows = [list(chain(*side)) for side in pairs]
    expected = {"accuracy": accuracy_score(*rows), "macro_f1": f1_score(*rows, average="macro", zero_division=0)}
    assert score_tags(*pairs) == pytest.approx(expected)


@given(pairs=pairs_of_sentences)
def test_scores_by_label_are_those_of_sklearn(pairs):
    rows = [list(chain(*side)) for side in pairs]
    expected = precision_recall_fscore_support(*rows, zero_division=0)
    scores = per_type(*pairs)
    assert list(scores) == sorted(set(rows[0] + rows[1]))
    for column, name in enumerate(["precision", "recall", "f1", "support"]):
        assert [own[name] for own in scores.values()] == pytest.approx(expected[column].tolist())


@given(pairs=pairs_of_sentences)
def test_confusion_of_labels_is_that_of_sklearn(pairs):
    rows = [list(chain(*side)) for side in pairs]
    np.testing.assert_array_equal(confusion(*pairs, LABELS), confusion_matrix(*rows, labels=LABELS))


def test_a_row_without_a_gold_label_is_left_out_and_one_without_a_prediction_is_wrong():
    gold, predicted = [["bank/1", None, "bank/2"], ["bank/1"]], [["bank/1", "bank/2", None], ["bank/1"]]
    scores = score_tags(gold, predicted)
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx(0.5)  # 1 and 0
    np.testing.assert_array_equal(sentence_counts(gold, predicted, "accuracy"), [[1, 2, 2], [1, 1, 1]])
    np.testing.assert_array_equal(confusion(gold, predicted, ["bank/1", "bank/2"]), [[2, 0], [0, 0]])
    assert per_type(gold, predicted)["bank/2"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}


def test_the_confusion_of_entity_tags_is_of_types_word_by_word():
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    assert confusion_tags(tags) == ("LOC", "PER", "O")
    gold = [["B-PER", "I-PER", "O", "B-LOC"], [None, "I-LOC"]]
    predicted = [["I-PER", "B-LOC", "O", "O"], ["B-PER", "I-LOC"]]
    np.testing.assert_array_equal(confusion(gold, predicted, tags), [[1, 0, 1], [1, 1, 0], [0, 1, 1]])


def test_a_label_with_the_value_o_is_scored_as_entities_only_if_its_tags_are():
    gold = [["O", "O"]]
    assert "f1" in score_tags(gold, gold)
    assert score_tags(gold, gold, ["O", "P"]) == {"accuracy": 1, "macro_f1": 1}


def test_nothing_to_score_scores_0():
    assert score_tags([], [], LABELS) == {"accuracy": 0, "macro_f1": 0}
    assert per_type([], [], LABELS) == {}
    assert not confusion([], [], LABELS).any()


def test_a_confusion_of_sides_that_do_not_belong_together_is_refused():
    with pytest.raises(FeaturesError, match="sentence 0 has 1 gold tags and 2 predicted ones"):
        confusion([["X"]], [["X", "X"]], LABELS)
