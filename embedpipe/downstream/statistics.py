"""How sure a score is: intervals over seeds and over test sentences, and a test of two systems on the same sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedpipe.downstream.metrics.counts import from_counts
from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray

_DRAWS_AT_A_TIME = 2_000_000  # sentence numbers and their weights: 16 MB each


class MeanInterval(NamedTuple):
    """A mean with its interval. ``sd`` is the standard deviation (n - 1)."""

    mean: float
    sd: float
    low: float
    high: float


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


class Difference(NamedTuple):
    """One system's score less another's, with the ends of its interval and the two-sided ``p``."""

    difference: float
    low: float
    high: float
    p: float


def mean_interval(values: Sequence[float], level: float = 0.95) -> MeanInterval:
    """Student's t interval of a mean, over seeds for instance: where the mean of many more would lie.

    :param values: At least one. For a single one nothing can be said: ``sd`` is 0 and both ends are the value.
    :param level: How often such an interval holds the true mean, if the values are normally distributed.
    """
    from scipy.special import stdtrit  # Student's t, without the weight of scipy.stats

    if not len(values):
        raise FeaturesError("mean_interval: there are no values.")
    mean = float(np.mean(values))
    if len(values) == 1:
        return MeanInterval(mean, 0.0, mean, mean)
    sd = float(np.std(values, ddof=1))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * sd / len(values) ** 0.5
    return MeanInterval(mean, sd, mean - half, mean + half)


def bootstrap_interval(counts: FloatArray, num_resamples: int = 10_000, seed: int = 0, *, level: float = 0.95) -> Interval:
    """Percentile bootstrap over test sentences of the mean over seeds: where another test set of this size would put it.

    :param counts: Of :func:`~embedpipe.downstream.metrics.sentence_counts`, a run each. *Shape:*
        ``(num_seeds, num_sentences, 3)``.
    """
    return _percentiles(resampled_means(counts, num_resamples, seed), level)


def paired_bootstrap(
    counts_a: FloatArray, counts_b: FloatArray, num_resamples: int = 10_000, seed: int = 0, *, level: float = 0.95
) -> Difference:
    """Compare two systems on the same test sentences, resampled together: the mean over seeds of ``a`` less that of ``b``.

    ``p`` is how often a resampling turns the difference round or makes it nothing, doubled (at most 1), with the sample
    itself counted in: ``2 (turned + 1) / (num_resamples + 1)``, so that it is never 0.

    :param counts_a: As for :func:`bootstrap_interval`. *Shape:* ``(num_seeds_a, num_sentences, 3)``.
    :param counts_b: Of the same sentences in the same order. *Shape:* ``(num_seeds_b, num_sentences, 3)``.
    :raises FeaturesError: If these are not as many sentences.
    """
    if counts_a.shape[1] != counts_b.shape[1]:
        raise FeaturesError(
            f"paired_bootstrap: one system has {counts_a.shape[1]} test sentences and the other {counts_b.shape[1]}; "
            "they must be the same ones."
        )
    one, other = (resampled_means(counts, num_resamples, seed) for counts in (counts_a, counts_b))
    return compare_resampled(_mean_score(counts_a) - _mean_score(counts_b), one - other, level)


def compare_resampled(difference: float, resampled: FloatArray, level: float = 0.95) -> Difference:
    """Make interval and ``p`` of a difference and what it is in each resampling.

    :param resampled: Of :func:`resampled_means` of one system less that of the other. *Shape:* ``(num_resamples,)``.
    """
    resampled = np.where(np.abs(resampled) < 1e-12, 0, resampled)  # means over seeds of the same scores, added otherwise
    turned = min(int((resampled <= 0).sum()), int((resampled >= 0).sum()))
    p = min(1.0, 2 * (turned + 1) / (len(resampled) + 1))
    return Difference(difference, *_percentiles(resampled, level), p)


def resampled_means(counts: FloatArray, num_resamples: int = 10_000, seed: int = 0) -> FloatArray:
    """The mean over seeds of the score, for test sentences drawn with replacement.

    The same seed, number of sentences and number of resamples draw the same sentences: of two systems the results can be
    subtracted from each other.

    :param counts: *Shape:* ``(num_seeds, num_sentences, 3)``.
    :returns: *Shape:* ``(num_resamples,)``.
    :raises FeaturesError: If there is no sentence or no seed.
    """
    means: FloatArray = resampled_scores(counts, num_resamples, seed).mean(axis=1)
    return means


def resampled_scores(counts: FloatArray, num_resamples: int = 10_000, seed: int = 0) -> FloatArray:
    """The score of each run, for test sentences drawn with replacement; drawing, which takes the time, is done once for all.

    :param counts: *Shape:* ``(num_runs, num_sentences, 3)``.
    :returns: *Shape:* ``(num_resamples, num_runs)``.
    :raises FeaturesError: If there is no sentence or no run.
    """
    num_runs, num_sentences, _ = counts.shape
    if not num_runs or not num_sentences:
        raise FeaturesError(f"bootstrap: there is nothing to resample: {num_runs} runs of {num_sentences} sentences.")
    by_sentence = np.ascontiguousarray(np.moveaxis(counts, 1, 0), dtype=np.float64).reshape(num_sentences, -1)
    random = np.random.default_rng(seed)
    scores = np.empty((num_resamples, num_runs))
    step = max(1, _DRAWS_AT_A_TIME // num_sentences)
    for start in range(0, num_resamples, step):
        some = slice(start, min(start + step, num_resamples))
        weights = _draw(random, some.stop - some.start, num_sentences)  # (some, num_sentences)
        sums = (weights @ by_sentence).reshape(-1, num_runs, 3)  # whole numbers: exact in whatever order they are added
        scores[some] = from_counts(sums)
    return scores


def _draw(random: np.random.Generator, num_resamples: int, num_sentences: int) -> FloatArray:
    """How often each sentence was drawn, in each resampling. *Shape:* ``(num_resamples, num_sentences)``."""
    drawn = random.integers(0, num_sentences, size=(num_resamples, num_sentences))
    drawn += np.arange(num_resamples)[:, None] * num_sentences
    times = np.bincount(drawn.ravel(), minlength=num_resamples * num_sentences)
    return times.reshape(num_resamples, num_sentences).astype(np.float64)


def _mean_score(counts: FloatArray) -> float:
    return float(from_counts(counts.sum(axis=1)).mean())


def _percentiles(values: FloatArray, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(low, high)
