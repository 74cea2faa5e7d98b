"""Where the rows of a shard's datasets lie, in little memory: a store may have 100,000 shards, and most are alike."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from embedpipe.dataflow import Unit
from embedpipe.store.format import LABELS, SECOND_START, link_name
from embedpipe.store.structure import LabelInfo

_Dataset: TypeAlias = "tuple[str, str, tuple[int, ...]]"
"""Path, type, and shape of a row."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file the rows of a dataset lie, in one piece."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What shards have in common that have the same datasets and labels.

    :param datasets: By path, the index of each, its type, and the shape of a row.
    """

    datasets: Mapping[str, tuple[int, np.dtype[Any], tuple[int, ...]]]
    labels: Mapping[str, LabelInfo]


class ShardLayout:
    """The datasets of one shard.

    :param datasets: Path, type, and shape of a row of each.
    :param labels: In their order.
    :param numbers: Of each dataset, the offset in the file and how many rows there are.
    """

    __slots__ = ("_kind", "_numbers")

    def __init__(self, datasets: tuple[_Dataset, ...], labels: tuple[tuple[str, LabelInfo], ...], numbers: array[int]) -> None:
        self._kind = _kind(datasets, labels)
        self._numbers = numbers

    @classmethod
    def of(cls, places: Mapping[str, Place], labels: Mapping[str, LabelInfo]) -> ShardLayout:
        """:param places: By path of each dataset."""
        datasets = tuple((path, place.dtype.str, place.shape[1:]) for path, place in places.items())
        numbers = array("q", (number for place in places.values() for number in (place.offset, place.shape[0])))
        return cls(datasets, tuple(labels.items()), numbers)

    @property
    def labels(self) -> Mapping[str, LabelInfo]:
        """The labels, in their order."""
        return self._kind.labels

    @property
    def has_pairs(self) -> bool:
        """Whether a sentence may be a pair of texts."""
        return SECOND_START in self._kind.datasets

    def num_rows(self, path: str) -> int:
        """Length of a dataset."""
        return self._numbers[2 * self._kind.datasets[path][0] + 1]

    def place(self, path: str) -> Place:
        """Where a dataset lies."""
        index, dtype, row_shape = self._kind.datasets[path]
        return Place(self._numbers[2 * index], dtype, (self._numbers[2 * index + 1], *row_shape))

    def __reduce__(self) -> Any:
        datasets = tuple((path, dtype.str, row_shape) for path, (_, dtype, row_shape) in self._kind.datasets.items())
        return ShardLayout, (datasets, tuple(self._kind.labels.items()), self._numbers)


def label_infos(units: Mapping[str, Unit]) -> dict[str, LabelInfo]:
    """Labels as they stand in a file."""
    return {name: LabelInfo(unit, f"{LABELS}/{link_name(name)}") for name, unit in units.items()}


@functools.lru_cache(maxsize=64)
def _kind(datasets: tuple[_Dataset, ...], labels: tuple[tuple[str, LabelInfo], ...]) -> _Kind:
    """One object for all shards of a kind."""
    numbered = enumerate(datasets)
    return _Kind({path: (index, np.dtype(dtype), shape) for index, (path, dtype, shape) in numbered}, dict(labels))
