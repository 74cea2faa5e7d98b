"""What all heads share that look at each row by itself and are fitted at once, without epochs or chance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from embedpipe.downstream.examples import NO_CODE
from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.examples import Examples
    from embedpipe.downstream.heads.head import Epoch, MixWeights, OnEpoch

ROWS_AT_A_TIME = 8192


class RowModel(Protocol):
    """A fitted model of rows."""

    def predict(self, vectors: npt.NDArray[np.float32]) -> IntArray:
        """Tell the codes of rows, which may be overwritten. *Shape:* ``(num_rows, vector_size)`` to ``(num_rows,)``."""


@dataclass
class FittedRows:
    """Models of rows, one a group; a single one where there are no groups.

    :param models: By group; by ``None`` where the examples are not in groups.
    """

    models: Mapping[str | None, RowModel]
    mix: MixWeights | None = None
    epochs: tuple[Epoch, ...] = ()

    def predict(self, examples: Examples) -> IntArray:
        """Tell the codes of rows; ``NO_CODE`` for a row of a group that was not seen in training.

        :returns: *Shape:* ``(num_rows,)``.
        :raises FeaturesError: If the examples are in groups and those of the training were not, or the other way round.
        """
        if (examples.groups is None) != (None in self.models):
            raise FeaturesError("predicting: either both the training's rows and these are in groups, or none of them.")
        rows = examples.rows_of(np.arange(len(examples.sentences)))
        codes = np.full(len(rows), NO_CODE, np.int64)
        for group, members in _by_group(examples.groups, np.arange(len(rows))).items():
            if (model := self.models.get(group)) is None:
                continue
            for start in range(0, len(members), ROWS_AT_A_TIME):
                some = members[start : start + ROWS_AT_A_TIME]
                codes[some] = model.predict(_read(examples, rows[some]))
        return codes


class RowHead(ABC):
    """A head that fits a model of rows to each group."""

    learns_mix: ClassVar[bool] = False
    uses_seed: ClassVar[bool] = False

    @abstractmethod
    def fit_rows(self, vectors: npt.NDArray[np.float32], codes: IntArray) -> RowModel:
        """Fit the model of one group.

        :param vectors: May be overwritten and kept. *Shape:* ``(num_rows, vector_size)``.
        :param codes: At least one. *Shape:* ``(num_rows,)``.
        """

    def fit(
        self,
        train: Examples,
        dev: Examples,
        *,
        seed: int = 0,
        on_epoch: OnEpoch | None = None,
        checkpoint: Path | None = None,
    ) -> FittedRows:
        """Fit the rows of ``train`` that have a label. All vectors are held in memory.

        Where the examples are in groups, each group gets a model of its own. There is nothing to choose on ``dev``, no
        chance for ``seed``, no epoch and no checkpoint.

        :raises FeaturesError: If there is nothing to learn from: no label, or only one tag; or if a mix is to be learned.
        """
        name = type(self).__name__
        if train.selection.learned:
            raise FeaturesError(
                f"{name} cannot learn how to mix layers, as view {train.selection.view!r} is to be. "
                "Choose a combination of layers, or a head that is trained in epochs (LinearHead)."
            )
        labelled = np.flatnonzero(train.codes != NO_CODE)
        _require_two_tags(name, train, labelled)
        rows = train.rows_of(np.arange(len(train.sentences)))
        groups = _by_group(train.groups, labelled)
        return FittedRows(
            {group: self.fit_rows(_read(train, rows[members]), train.codes[members]) for group, members in groups.items()}
        )


def _require_two_tags(name: str, train: Examples, labelled: IntArray) -> None:
    found = np.unique(train.codes[labelled])
    if len(found) < 2:
        tags = f"only {train.tags[int(found[0])]!r}" if len(found) else "no label at all"
        raise FeaturesError(
            f"fitting {name}: the {train.num_rows:,} rows of {len(train.sentences):,} sentences of {train.store.source} have "
            f"{tags}; at least two different labels are needed."
        )


def _by_group(groups: npt.NDArray[np.object_] | None, places: IntArray) -> dict[str | None, IntArray]:
    """The places of each group, in their order; all under ``None`` where there are no groups."""
    if groups is None:
        return {None: places}
    names, numbers = np.unique(groups[places].astype(str), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    parts = np.split(places[order], np.cumsum(np.bincount(numbers, minlength=len(names)))[:-1])
    return dict(zip(names.tolist(), parts, strict=True)) if len(names) else {}


def _read(examples: Examples, rows: IntArray) -> npt.NDArray[np.float32]:
    """Vectors of rows of the view. *Shape:* ``(num_rows, vector_size)``."""
    matrix, selection = examples.store.matrix(examples.selection.view), examples.selection
    vectors = np.empty((len(rows), selection.vector_size), np.float32)
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        some = slice(start, start + ROWS_AT_A_TIME)
        vectors[some] = selection.vectors(matrix[rows[some]])
    return vectors
