"""Entities and their scores: seqeval strict, conlleval, and hand-made cases where the two differ."""

from __future__ import annotations

import warnings
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score
from sklearn.metrics import f1_score as rows_f1

from embedpipe.corpus.tags import to_bio
from embedpipe.downstream.metrics import METRICS, entities, from_counts, is_bio, per_type, score_tags, sentence_counts
from embedpipe.errors import FeaturesError

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
STRICT = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
pairs_of_sentences = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=8), min_size=1, max_size=6
).map(lambda sentences: tuple([[pair[side] for pair in sentence] for sentence in sentences] for side in (0, 1)))

ILLEGAL = {  # tags: as strict IOB2 has them, as conlleval has them
    "O I-PER": (set(), {(1, 2, "PER")}),
    "I-PER I-PER O": (set(), {(0, 2, "PER")}),
    "B-LOC I-PER": ({(0, 1, "LOC")}, {(0, 1, "LOC"), (1, 2, "PER")}),
    "B-LOC I-PER I-LOC": ({(0, 1, "LOC")}, {(0, 1, "LOC"), (1, 2, "PER"), (2, 3, "LOC")}),
    "B-PER O I-PER": ({(0, 1, "PER")}, {(0, 1, "PER"), (2, 3, "PER")}),
    "I-LOC B-LOC I-LOC": ({(1, 3, "LOC")}, {(0, 1, "LOC"), (1, 3, "LOC")}),
    "O I-PER B-PER": ({(2, 3, "PER")}, {(1, 2, "PER"), (2, 3, "PER")}),
}
LEGAL = {
    "": set(),
    "O O": set(),
    "B-PER": {(0, 1, "PER")},
    "B-PER I-PER I-PER": {(0, 3, "PER")},
    "B-PER B-PER I-PER": {(0, 1, "PER"), (1, 3, "PER")},
    "B-PER I-PER B-LOC O B-LOC": {(0, 2, "PER"), (2, 3, "LOC"), (4, 5, "LOC")},
    "B-NORP-X I-NORP-X O": {(0, 2, "NORP-X")},
}


@pytest.mark.parametrize("tags", ILLEGAL)
def test_an_i_that_goes_on_in_nothing_starts_an_entity_for_conlleval_only(tags):
    strict, conlleval = ILLEGAL[tags]
    assert entities(tags.split()) == entities(tags.split(), "strict") == strict
    assert entities(tags.split(), "conlleval") == conlleval


@pytest.mark.parametrize("tags", LEGAL)
def test_the_two_rules_agree_on_legal_tags(tags):
    assert entities(tags.split(), "strict") == entities(tags.split(), "conlleval") == LEGAL[tags]


@given(tags=st.lists(st.sampled_from(TAGS), max_size=10))
def test_tags_that_a_corpus_reader_made_legal_have_the_entities_that_conlleval_sees(tags):
    assert entities(to_bio(tags), "strict") == entities(tags, "conlleval")


@given(tags=st.lists(st.sampled_from(TAGS), max_size=10))
def test_conlleval_entities_are_those_of_seqeval_without_a_scheme(tags):
    assert entities(tags, "conlleval") == {(start, last + 1, kind) for kind, start, last in get_entities(tags)}


@given(pairs=pairs_of_sentences)
def test_entity_scores_are_those_of_seqeval(pairs):
    scores = score_tags(*pairs, TAGS)
    expected = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    for name, score in expected.items():
        assert scores[name] == pytest.approx(score(*pairs, **STRICT)), name
    assert scores["conlleval_f1"] == pytest.approx(f1_score(*pairs, zero_division=0))


@given(pairs=pairs_of_sentences)
def test_scores_by_type_are_those_of_seqeval(pairs):
    scores = per_type(*pairs, TAGS)
    if not scores:
        return
    report = classification_report(*pairs, output_dict=True, **STRICT)
    assert list(scores) == sorted(scores)
    for kind, own in scores.items():
        expected = report[kind]
        assert own == pytest.approx({name.replace("-score", ""): value for name, value in expected.items()})
    assert {name for name in report if not name.endswith("avg")} == set(scores)


@given(pairs=pairs_of_sentences)
def test_token_f1_is_the_micro_f1_of_every_tag_but_o(pairs):
    rows = [list(chain(*side)) for side in pairs]
    scores = score_tags(*pairs, TAGS)
    assert scores["token_f1"] == pytest.approx(rows_f1(*rows, labels=TAGS[1:], average="micro", zero_division=0))
    assert scores["accuracy"] == pytest.approx(accuracy_score(*rows))


@given(pairs=pairs_of_sentences, metric=st.sampled_from(sorted(METRICS)))
def test_counts_of_sentences_add_up_to_the_score_of_all(pairs, metric):
    counts = sentence_counts(*pairs, metric)
    assert counts.shape == (len(pairs[0]), 3)
    assert from_counts(counts.sum(axis=0)) == pytest.approx(score_tags(*pairs, TAGS)[metric])
    for index, own in enumerate(counts):
        one = [side[index : index + 1] for side in pairs]
        assert from_counts(own) == pytest.approx(score_tags(*one, TAGS)[metric])


def test_a_hand_counted_test_set():
    gold = ["B-PER I-PER O B-LOC O O", "O B-ORG I-ORG O", "O O"]
    predicted = ["B-PER I-PER O O I-LOC O", "O B-ORG B-ORG O", "B-LOC O"]
    scores = score_tags(*([line.split() for line in lines] for lines in (gold, predicted)))
    assert scores == pytest.approx(
        {
            "precision": 1 / 4,  # PER is right; ORG, ORG and LOC are not; I-LOC is no entity
            "recall": 1 / 3,
            "f1": 2 / 7,
            "conlleval_f1": 2 / 8,  # I-LOC is one more wrong entity
            "token_f1": 2 * 3 / (5 + 6),  # B-PER, I-PER and the first B-ORG
            "accuracy": 8 / 12,
        }
    )


def test_a_word_without_a_label_is_outside_of_entities_and_does_not_count_for_accuracy():
    gold, predicted = [["B-PER", None, "I-PER"]], [["B-PER", "O", "O"]]
    scores = score_tags(gold, predicted)
    assert (scores["f1"], scores["accuracy"]) == (1.0, 0.5)
    assert entities(["B-PER", None, "I-PER"], "conlleval") == {(0, 1, "PER"), (2, 3, "PER")}


@pytest.mark.parametrize("gold", [[], [[]], [["O", "O"]]])
def test_without_entities_every_entity_score_is_0(gold):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score_tags(gold, gold, TAGS)
    assert (scores["f1"], scores["precision"], scores["recall"], scores["conlleval_f1"], scores["token_f1"]) == (0,) * 5
    assert per_type(gold, gold, TAGS) == {}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["O", "B-PER", "I-PER"], True),
        (["O", None], True),
        (["B-PER"], True),
        ([], False),
        ([None], False),
        (["O", "NOUN"], False),
        (["B-", "O"], False),
        (["B-PER", "E-PER", "O"], False),
        (["", "O"], False),
    ],
)
def test_bio_is_told_from_other_labels(tags, expected):
    assert is_bio(tags) is expected


def test_the_scores_of_many_runs_are_made_of_one_array():
    counts = np.array([[[1, 2, 2], [0, 0, 0]], [[1, 1, 1], [3, 4, 4]]])
    np.testing.assert_allclose(from_counts(counts), [[0.5, 0], [1, 0.75]])


@pytest.mark.parametrize("function", [score_tags, per_type, lambda *sides: sentence_counts(*sides, "f1")])
def test_sides_that_do_not_belong_together_are_named(function):
    with pytest.raises(FeaturesError, match="2 sentences have gold tags, and 1 predicted ones"):
        function([["O"], ["O"]], [["O"]])
    with pytest.raises(FeaturesError, match="sentence 1 has 2 gold tags and 1 predicted ones"):
        function([["O"], ["O", "O"]], [["O"], ["O"]])


def test_an_unknown_metric_lists_the_known_ones():
    with pytest.raises(
        FeaturesError, match=r"'macro_f1' cannot be counted by sentence\. Known: f1, conlleval_f1, token_f1, accu"
    ):
        sentence_counts([["O"]], [["O"]], "macro_f1")
