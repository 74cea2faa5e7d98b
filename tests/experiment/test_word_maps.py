"""Where the occurrences of a word lie."""

from __future__ import annotations

import numpy as np
import pytest
from comparison_samples import Extraction, MadeUp, comparison, sentences
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.errors import FeaturesError
from embedpipe.experiment import maps
from embedpipe.experiment.compare import compare
from embedpipe.experiment.maps import principal_components, separation
from embedpipe.experiment.tasks import SentenceLabels, WordSense

CHOICES = ("last",)


def drawn(folder, **changes):
    static_vectors = changes.pop("static_vectors", None)
    asked = comparison(choices=CHOICES, seeds=(0,), **changes)
    return compare(asked, folder, extract=Extraction(), static_vectors=static_vectors)


def test_a_map_has_every_labelled_occurrence_in_every_layer(tmp_path):
    results = drawn(tmp_path, maps=("Bank",), map_label="sense")
    (word_map,) = results.maps
    expected = {
        (sentence.id, sentence.spans[place])
        for sentence in sentences()
        for place, word in enumerate(sentence.words)
        if word == "bank"
    }
    assert {(use.sentence_id, use.span) for use in word_map.occurrences} == expected
    assert all(use.text[slice(*use.span)] == use.word == "bank" for use in word_map.occurrences)
    assert {use.sense for use in word_map.occurrences} == {"bank.0", "bank.1"}
    assert list(word_map.panels) == [f"layer {layer}" for layer in range(5)]
    assert all(np.shape(points) == (len(expected), 2) for points in word_map.panels.values())
    assert all(0 < part <= 1 for part in word_map.explained.values())


def test_labels_of_the_task_colour_the_map_where_none_are_named(tmp_path):
    (word_map,) = drawn(tmp_path, maps=("berlin",)).maps
    assert {use.sense for use in word_map.occurrences} == {"B-LOC"}
    assert set(word_map.separation.values()) == {1.0}


def test_a_word_is_found_by_its_lemma(tmp_path):
    (word_map,) = drawn(tmp_path, task=WordSense(), maps=("stick",)).maps
    assert {use.word for use in word_map.occurrences} == {"stick"}


def test_for_labels_of_sentences_words_are_extracted_for_the_maps(tmp_path):
    results = drawn(tmp_path, task=SentenceLabels("topic"), maps=("bank",), map_label="sense")
    assert {use.word for use in results.maps[0].occurrences} == {"bank"}
    assert {row.pooling for row in results.rows} == {"mean"}


def test_all_uses_of_a_form_are_one_point_without_context(tmp_path):
    def static_vectors(encoder, words):
        return np.array([[len(word), 1.0, ord(word[0])] for word in words]) if encoder == "one" else None

    encoders = {"one": MadeUp(), "two": MadeUp(salt="two")}
    found = drawn(tmp_path, encoders=encoders, maps=("bank",), map_label="sense", static_vectors=static_vectors).maps
    one, two = found
    assert (one.encoder, next(iter(one.panels))) == ("one", "static")
    assert set(one.panels["static"]) == {(0.0, 0.0)}
    share = np.mean([use.sense == "bank.0" for use in one.occurrences])
    count = len(one.occurrences)
    expected = (share * (share * count - 1) + (1 - share) * ((1 - share) * count - 1)) / (count - 1)
    assert one.separation["static"] == pytest.approx(expected, abs=1e-4)
    assert "static" not in two.panels


def test_a_word_that_is_not_there_is_noted_and_not_drawn(tmp_path):
    results = drawn(tmp_path, maps=("unicorn",), map_label="sense")
    assert not results.maps
    assert results.notes == ("There is no map of 'unicorn': 0 occurrences have the label 'sense'.",)


def test_more_occurrences_than_can_be_seen_are_cut_and_noted(tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "MOST_OCCURRENCES", 5)
    results = drawn(tmp_path, maps=("bank",), map_label="sense")
    assert len(results.maps[0].occurrences) == 5
    assert results.notes[0].startswith("The map of 'bank' has the first 5 of ")


@pytest.mark.parametrize(("label", "message"), [("topic", "'topic' of .* is one a sentence"), ("sens", "has no label 'sens'")])
def test_a_label_that_colours_no_words_is_refused_before_any_training(tmp_path, label, message):
    with pytest.raises(FeaturesError, match=message):
        drawn(tmp_path, maps=("bank",), map_label=label)
    assert not list((tmp_path / "runs").iterdir())


@given(st.integers(3, 30), st.integers(1, 8), st.integers(0, 100))
def test_two_components_are_those_of_the_covariance(count, size, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, size)) * np.arange(1, size + 1)
    points, explained = principal_components(vectors)
    values = np.sort(np.linalg.eigvalsh(np.cov(vectors, rowvar=False).reshape(size, size)))[::-1]
    assert points.shape == (count, 2)
    assert points.var(axis=0, ddof=1)[: min(2, size)] == pytest.approx(values[:2], rel=1e-3, abs=1e-3)
    assert explained == pytest.approx(values[:2].sum() / values.sum(), abs=1e-4)


def test_senses_that_lie_apart_are_told_by_the_nearest_neighbour_and_mixed_ones_are_not():
    apart = np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]])
    assert separation(apart, ["a", "a", "b", "b"]) == 1
    assert separation(apart, ["a", "b", "a", "b"]) == 0
    assert separation(np.ones((4, 2)), ["a", "a", "b", "b"]) == pytest.approx(1 / 3, abs=1e-4)
