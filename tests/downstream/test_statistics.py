"""Intervals hold what they should hold as often as they say, and a test finds what is there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embedpipe.downstream.metrics import from_counts
from embedpipe.downstream.statistics import (
    bootstrap_interval,
    compare_resampled,
    mean_interval,
    paired_bootstrap,
    resampled_means,
)
from embedpipe.errors import FeaturesError


def accuracy_counts(right):
    """Sentences of one row each: *shape* ``(num_seeds, num_sentences, 3)``."""
    right = np.asarray(right, dtype=float)
    return np.stack([right, np.ones_like(right), np.ones_like(right)], axis=-1)


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=10), level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_of_a_mean_is_student_s(values, level):
    found = mean_interval(values, level)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    expected = (np.mean(values), np.std(values, ddof=1), np.mean(values) - half, np.mean(values) + half)
    assert found == pytest.approx(expected)


def test_a_table_value_of_student_s_t():
    found = mean_interval([0.90, 0.91, 0.92, 0.93, 0.94])
    assert found.high - found.mean == pytest.approx(2.776 * found.sd / 5**0.5, rel=1e-3)


def test_of_one_seed_the_interval_is_the_value():
    assert mean_interval([0.5]) == (0.5, 0.0, 0.5, 0.5)
    with pytest.raises(FeaturesError, match="no values"):
        mean_interval([])


def test_the_interval_over_sentences_is_that_of_the_binomial_distribution():
    right = np.arange(1000) < 900
    found = bootstrap_interval(accuracy_counts([right]))
    expected = stats.binom.ppf([0.025, 0.975], 1000, 0.9) / 1000
    assert found == pytest.approx(expected, abs=0.0015)


def test_resampled_f1_is_made_of_resampled_counts_not_of_scores_of_sentences():
    counts = np.array([[[1.0, 1, 1], [1, 4, 4]]])  # F1 1 and 1/4
    by_times_of_the_first = {0: 0.25, 1: 0.4, 2: 1.0}
    found, times = np.unique(resampled_means(counts, 4000).round(12), return_counts=True)
    assert found.tolist() == pytest.approx(sorted(by_times_of_the_first.values()))
    assert times / 4000 == pytest.approx([0.25, 0.5, 0.25], abs=0.04)


def test_the_mean_over_seeds_is_resampled_not_the_seeds():
    one, other = np.arange(200) < 150, np.arange(200) < 100
    both = resampled_means(accuracy_counts([one, other]), 500)
    apart = [resampled_means(accuracy_counts([right]), 500) for right in (one, other)]
    np.testing.assert_allclose(both, np.mean(apart, axis=0))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(7)
    covered = 0
    for _ in range(300):
        low, high = bootstrap_interval(accuracy_counts([random.random(150) < 0.8]), 400)
        covered += low <= 0.8 <= high
    assert 0.90 <= covered / 300 <= 0.98


def test_systems_that_are_the_same_are_not_told_apart():
    counts = accuracy_counts(np.random.default_rng(0).random((3, 100)) < 0.7)
    assert paired_bootstrap(counts, counts, 500) == (0, 0, 0, 1)
    once, often = counts[:1], np.repeat(counts[:1], 5, axis=0)  # a mean of five equal scores may be off by a last bit
    assert paired_bootstrap(often, once, 500).p == 1


def test_systems_without_a_difference_are_told_apart_about_as_seldom_as_p_says():
    random = np.random.default_rng(3)
    counts = [accuracy_counts(random.random((2, 200)) < 0.8) for _ in range(200)]
    told_apart = [paired_bootstrap(*pair, 200).p < 0.05 for pair in zip(counts[::2], counts[1::2], strict=True)]
    assert np.mean(told_apart) <= 0.12


def test_a_difference_in_every_sentence_has_the_least_p():
    worse = np.zeros((1, 60))
    found = paired_bootstrap(accuracy_counts(worse + 1), accuracy_counts(worse), 999)
    assert found == (1, 1, 1, pytest.approx(2 / 1000))


def test_pairs_are_resampled_together():
    """Two systems that differ in two sentences of 500: the interval of the difference knows nothing of the other 498."""
    right = np.random.default_rng(1).random(500) < 0.5
    better = right.copy()
    better[np.flatnonzero(~right)[:2]] = True
    found = paired_bootstrap(accuracy_counts([better]), accuracy_counts([right]), 4000)
    assert found.difference == pytest.approx(2 / 500)
    assert (found.low, found.high) == pytest.approx((0, 5 / 500), abs=1 / 500)
    assert found.p == pytest.approx(2 * np.exp(-2), rel=0.15)  # how often neither of the two is drawn, doubled


@settings(max_examples=20, deadline=None)
@given(data=st.data(), num_seeds=st.integers(1, 3), num_sentences=st.integers(1, 20))
def test_turning_the_pair_round_turns_the_difference_round(data, num_seeds, num_sentences):
    shape = (num_seeds, num_sentences)
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    one, other = (accuracy_counts(random.random(shape) < 0.6) for _ in range(2))
    there, back = paired_bootstrap(one, other, 200), paired_bootstrap(other, one, 200)
    assert there == pytest.approx((-back.difference, -back.high, -back.low, back.p))
    assert 0 < there.p <= 1
    assert there.difference == pytest.approx(float((from_counts(one.sum(axis=1)) - from_counts(other.sum(axis=1))).mean()))


def test_the_seed_decides_the_resamples_and_nothing_else_does(monkeypatch):
    counts = accuracy_counts(np.random.default_rng(0).random((2, 50)) < 0.7)
    expected = resampled_means(counts, 300, seed=5)
    np.testing.assert_array_equal(resampled_means(counts, 300, seed=5), expected)
    assert (resampled_means(counts, 300, seed=6) != expected).any()
    monkeypatch.setattr("embedpipe.downstream.statistics._DRAWS_AT_A_TIME", 7 * 50)
    np.testing.assert_array_equal(resampled_means(counts, 300, seed=5), expected)


def test_resampled_means_that_were_kept_make_the_same_comparison():
    one, other = (accuracy_counts(np.random.default_rng(seed).random((2, 80)) < 0.7) for seed in (1, 2))
    difference = float(from_counts(one.sum(axis=1)).mean() - from_counts(other.sum(axis=1)).mean())
    kept = compare_resampled(difference, resampled_means(one, 300) - resampled_means(other, 300))
    assert kept == pytest.approx(paired_bootstrap(one, other, 300))


def test_what_cannot_be_resampled_is_refused():
    with pytest.raises(FeaturesError, match="50 test sentences and the other 40"):
        paired_bootstrap(accuracy_counts(np.ones((1, 50))), accuracy_counts(np.ones((1, 40))))
    with pytest.raises(FeaturesError, match="1 runs of 0 sentences"):
        bootstrap_interval(accuracy_counts(np.ones((1, 0))))
