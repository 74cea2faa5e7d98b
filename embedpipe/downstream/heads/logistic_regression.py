"""Logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from embedpipe.downstream.heads.row_head import RowHead

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from embedpipe.dataflow import FloatArray, IntArray
    from embedpipe.downstream.heads.linear_model import LinearModel


@dataclass(frozen=True)
class LogisticRegressionHead(RowHead):
    """scikit-learn's logistic regression: each word (or sentence) by itself. Convex: one answer, whatever the seed.

    Where labels are told within groups (the senses of a lemma), each group has a model of its own.

    :param C: Inverse of the penalty's strength: smaller is stronger.
    :param max_iter: Iterations at most; scikit-learn warns if they do not suffice.
    :param tol: The gradient at which it stops.
    :param standardize: Give every dimension mean 0 and variance 1 before.
    """

    C: Annotated[float, Gt(0)] = 0.1
    max_iter: Annotated[int, Gt(0)] = 500
    tol: Annotated[float, Gt(0)] = 1e-3
    standardize: bool = True

    def fit_rows(self, vectors: npt.NDArray[np.float32], codes: IntArray) -> LinearModel:
        from sklearn.linear_model import LogisticRegression

        from embedpipe.downstream.heads.linear_model import fit_linear

        def fit(vectors: npt.NDArray[np.float32], codes: IntArray) -> tuple[FloatArray, FloatArray]:
            model = LogisticRegression(C=self.C, max_iter=self.max_iter, tol=self.tol).fit(vectors, codes)
            return model.coef_, model.intercept_

        return fit_linear(fit, vectors, codes, standardize=self.standardize)
