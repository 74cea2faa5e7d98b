"""A linear support vector machine."""

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
class LinearSvmHead(RowHead):
    """A linear support vector machine (squared hinge loss, one tag against the rest, as scikit-learn's ``LinearSVC``): each
    word (or sentence) by itself. Convex: one answer, whatever the seed.

    Where labels are told within groups (the senses of a lemma), each group has a model of its own.

    :param C: Inverse of the penalty's strength: smaller is stronger.
    :param max_iter: Iterations at most; a warning says if they do not suffice.
    :param tol: The gradient at which it stops.
    :param standardize: Give every dimension mean 0 and variance 1 before.
    """

    C: Annotated[float, Gt(0)] = 0.01
    max_iter: Annotated[int, Gt(0)] = 1000
    tol: Annotated[float, Gt(0)] = 1e-5
    standardize: bool = True

    def fit_rows(self, vectors: npt.NDArray[np.float32], codes: IntArray) -> LinearModel:
        from embedpipe.downstream.heads.linear_model import fit_linear
        from embedpipe.downstream.heads.squared_hinge import SquaredHinge, sides_of

        def fit(vectors: npt.NDArray[np.float32], codes: IntArray) -> tuple[FloatArray, FloatArray]:
            return SquaredHinge(vectors, sides_of(codes), self.C).fit(self.max_iter, self.tol)

        return fit_linear(fit, vectors, codes, standardize=self.standardize)
