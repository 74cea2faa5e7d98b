"""A linear model of rows, once it is fitted: plain arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import FloatArray, IntArray


@dataclass(frozen=True)
class LinearModel:
    """A score a tag, the highest wins: ``weights @ ((vector - mean) / scale) + bias``.

    :param mean: *Shape:* ``(vector_size,)``.
    :param scale: *Shape:* ``(vector_size,)``.
    :param weights: *Shape:* ``(num_tags, vector_size)``.
    :param bias: *Shape:* ``(num_tags,)``.
    :param codes: Of the tags. *Shape:* ``(num_tags,)``.
    """

    mean: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    codes: IntArray

    def predict(self, vectors: npt.NDArray[np.float32]) -> IntArray:
        """Tell the codes of rows, whose vectors are overwritten."""
        vectors -= self.mean
        vectors /= self.scale
        scores = vectors @ self.weights.T + self.bias  # (num_rows, num_tags)
        codes: IntArray = self.codes[scores.argmax(axis=1)]
        return codes


Fit: TypeAlias = "Callable[[npt.NDArray[np.float32], IntArray], tuple[FloatArray, FloatArray]]"
"""From vectors and codes to weights, *shape* ``(num_tags, vector_size)``, and biases, *shape* ``(num_tags,)``; of two tags
there may be those of the second one alone."""


def fit_linear(fit: Fit, vectors: npt.NDArray[np.float32], codes: IntArray, *, standardize: bool) -> LinearModel:
    """Fit a linear model.

    It runs on one thread: so the number of cores makes no difference to the result, and at these sizes hardly any to the
    time, while threads that wait for each other cost a lot where other processes want the cores.

    :param vectors: Are overwritten. *Shape:* ``(num_rows, vector_size)``.
    :param standardize: Whether every dimension gets mean 0 and variance 1.
    """
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    size = vectors.shape[1]
    mean, scale = np.zeros(size, np.float32), np.ones(size, np.float32)
    known = np.unique(codes)
    if len(known) == 1:  # a group with one tag: there is nothing to tell apart
        return LinearModel(mean, scale, np.zeros((1, size), np.float32), np.zeros(1, np.float32), known)
    with threadpool_limits(1):
        if standardize:
            scaler = StandardScaler(copy=False)
            vectors = scaler.fit_transform(vectors)
            mean, scale = scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)
        weights, bias = fit(vectors, codes)
    if len(weights) < len(known):
        weights, bias = np.vstack([np.zeros_like(weights), weights]), np.append(np.zeros_like(bias), bias)
    return LinearModel(mean, scale, weights.astype(np.float32), bias.astype(np.float32), known)
