"""The weights of a linear support vector machine, for all tags at once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import FloatArray, IntArray


@dataclass(frozen=True)
class SquaredHinge:
    """What scikit-learn's ``LinearSVC`` minimises for each tag against the rest, divided by ``C num_rows``:
    ``|w|² / (2 C num_rows) + mean(max(0, 1 - side (w @ vector))²)``, the bias being the weight of a constant 1.

    LinearSVC does so tag by tag, in float64. All tags together are two matrix products a step, many times as fast.

    :param vectors: *Shape:* ``(num_rows, vector_size)``.
    :param sides: 1 where the row has the tag, else -1. *Shape:* ``(num_rows, num_tags)``.
    :param C: Inverse of the penalty's strength.
    """

    vectors: npt.NDArray[np.float32]
    sides: npt.NDArray[np.float32]
    C: float

    def fit(self, max_iter: int, tol: float) -> tuple[FloatArray, FloatArray]:
        """Minimise it by L-BFGS, from zero.

        :param tol: Largest part of the gradient at which it stops.
        :returns: Weights, *shape* ``(num_tags, vector_size)``, and biases, *shape* ``(num_tags,)``.
        """
        from scipy.optimize import minimize
        from sklearn.exceptions import ConvergenceWarning

        num_tags, size = self.sides.shape[1], self.vectors.shape[1]
        start = np.zeros(num_tags * (size + 1))
        options = {"maxiter": max_iter, "gtol": tol, "ftol": 0}
        found = minimize(self._value_and_gradient, start, method="L-BFGS-B", jac=True, options=options)
        if found.nit >= max_iter:
            warnings.warn(
                f"the SVM did not converge in {max_iter} iterations; raise max_iter.", ConvergenceWarning, stacklevel=2
            )
        return self._split(found.x)

    def _split(self, flat: FloatArray) -> tuple[FloatArray, FloatArray]:
        table = flat.reshape(self.sides.shape[1], -1)
        return table[:, :-1], table[:, -1]

    def _value_and_gradient(self, flat: FloatArray) -> tuple[float, FloatArray]:
        weights, bias = (part.astype(np.float32) for part in self._split(flat))
        num_rows = len(self.vectors)
        penalty = 1 / (self.C * num_rows)
        missing = np.maximum(1 - self.sides * (self.vectors @ weights.T + bias), 0)  # (num_rows, num_tags)
        value = penalty / 2 * float(flat @ flat) + float(np.square(missing).sum(dtype=np.float64)) / num_rows
        pull = missing * self.sides
        slopes = np.column_stack([pull.T @ self.vectors, pull.sum(axis=0, dtype=np.float64)])  # (num_tags, vector_size + 1)
        return value, penalty * flat - 2 / num_rows * slopes.ravel()


def sides_of(codes: IntArray) -> npt.NDArray[np.float32]:
    """1 where a row has the tag, else -1, for each tag that occurs, in the order of their codes."""
    return np.where(codes[:, None] == np.unique(codes), 1, -1).astype(np.float32)
