"""The nearest neighbours: nothing is learned, the training rows are the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Gt

from embedpipe.downstream.heads.row_head import RowHead

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedpipe.dataflow import IntArray

_ASKED_AT_A_TIME, _KNOWN_AT_A_TIME = 512, 8192  # 16 MiB of similarities, whatever the number of rows


@dataclass(frozen=True)
class KNearestHead(RowHead):
    """The tag that most of the nearest training rows have; of several the one of the nearest of these. Exact.

    Where labels are told within groups (the senses of a lemma), a row is compared with training rows of its own group only,
    and gets no tag if there are none, which counts as wrong.

    :param k: Neighbours that vote; all there are, if these are fewer.
    :param metric: What is near: ``cosine``, the angle between two vectors, or ``euclidean``, their distance.
    """

    k: Annotated[int, Gt(0)] = 5
    metric: Literal["cosine", "euclidean"] = "cosine"

    def fit_rows(self, vectors: npt.NDArray[np.float32], codes: IntArray) -> Neighbors:
        center = np.zeros(vectors.shape[1], np.float32)
        if self.metric == "euclidean":  # distances stay as they are, and small differences of them are not rounded off
            center = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
            vectors -= center
            return Neighbors(self.k, center, vectors, -0.5 * np.einsum("ij,ij->i", vectors, vectors), codes)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(norms > 0, norms, 1)  # a zero vector is at a right angle to all
        return Neighbors(self.k, center, vectors, np.zeros(len(vectors), np.float32), codes)


@dataclass(frozen=True)
class Neighbors:
    """Training rows. The nearest one is that of the highest ``(vector - center) @ row + offset``.

    For the cosine these are rows of length 1. For the Euclidean distance it is half of ``|vector|² - distance²``, in which the
    first part is the same for all rows.

    :param center: *Shape:* ``(vector_size,)``.
    :param rows: *Shape:* ``(num_rows, vector_size)``.
    :param offsets: *Shape:* ``(num_rows,)``.
    :param codes: *Shape:* ``(num_rows,)``.
    """

    k: int
    center: npt.NDArray[np.float32]
    rows: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.float32]
    codes: IntArray

    def predict(self, vectors: npt.NDArray[np.float32]) -> IntArray:
        """Tell the codes of rows."""
        parts = [self._vote(self._nearest(some)) for some in _parts(vectors - self.center, _ASKED_AT_A_TIME)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _nearest(self, vectors: npt.NDArray[np.float32]) -> IntArray:
        """Training rows, the nearest first. *Shape:* ``(num_asked, k)``."""
        best = np.zeros((len(vectors), 0), np.float32)
        found = np.zeros((len(vectors), 0), np.int64)
        for start in range(0, len(self.rows), _KNOWN_AT_A_TIME):
            some = slice(start, start + _KNOWN_AT_A_TIME)
            similarities = vectors @ self.rows[some].T + self.offsets[some]  # (num_asked, num_some)
            highest = _highest(similarities, self.k)
            best = np.hstack([best, np.take_along_axis(similarities, highest, axis=1)])
            found = np.hstack([found, highest + start])
            order = np.argsort(-best, axis=1, kind="stable")[:, : self.k]  # of equal ones the earlier row
            best, found = np.take_along_axis(best, order, axis=1), np.take_along_axis(found, order, axis=1)
        return found

    def _vote(self, nearest: IntArray) -> IntArray:
        codes = self.codes[nearest]  # (num_asked, k)
        votes = (codes[:, :, None] == codes[:, None, :]).sum(axis=2)  # for the code of each neighbour
        return np.take_along_axis(codes, votes.argmax(axis=1)[:, None], axis=1)[:, 0]  # the first, the nearest, of the most


def _highest(similarities: npt.NDArray[np.float32], k: int) -> IntArray:
    """Columns of the ``k`` highest of each line, from left to right. *Shape:* ``(num_asked, at most k)``."""
    num_columns = similarities.shape[1]
    if num_columns <= k:
        return np.broadcast_to(np.arange(num_columns), similarities.shape)
    return np.sort(np.argpartition(similarities, num_columns - k, axis=1)[:, num_columns - k :], axis=1)


def _parts(vectors: npt.NDArray[np.float32], size: int) -> Iterator[npt.NDArray[np.float32]]:
    return (vectors[start : start + size] for start in range(0, len(vectors), size))
