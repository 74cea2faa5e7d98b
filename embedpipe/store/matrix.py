"""Every row of a view as one array that is not in memory."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.store.format import VIEWS, link_name

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray, IntArray
    from embedpipe.store.reader import Store

ROWS_A_READ = 1024


class ViewMatrix:
    """The rows of a view, *shape* ``(num_rows, *row_shape)``; indexing reads the rows that it asks for and no others.

    It is indexed like a numpy array: with integers, slices, arrays of integers in any order and with repeats, and boolean
    masks; further indices apply to what was read. ``numpy.asarray(matrix)`` reads all of it.

    :param store: An open store.
    :param view: Name of one of its views.
    """

    def __init__(self, store: Store, view: str) -> None:
        self._store = store
        self.view = view
        self._column = store.file.column(f"{VIEWS}/{link_name(view)}")

    @property
    def shape(self) -> tuple[int, ...]:
        """``(num_rows, *row_shape)``."""
        return self._column.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the stored numbers."""
        return self._column.dtype

    @property
    def ndim(self) -> int:
        """2, or 3 for a stacked view."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis and not rest:
            first = slice(None)
        rows, index = self._read(first)
        if index is None:
            index = np.arange(len(rows)) if rest else slice(None)
        return rows[(index, *rest)]

    def read(self, start: int, stop: int) -> FloatArray:
        """The rows from ``start`` to ``stop``, both within the view."""
        return self._column.read(start, stop)

    def __iter__(self) -> Iterator[FloatArray]:
        for start in range(0, len(self), ROWS_A_READ):
            yield from self._column.read(start, min(start + ROWS_A_READ, len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        if copy is False:
            raise ValueError("a ViewMatrix is on the disk: an array of it is always a copy")
        rows = self._column.read(0, len(self))
        return rows if dtype is None else rows.astype(dtype, copy=False)

    def __reduce__(self) -> Any:
        return ViewMatrix, (self._store, self.view)

    def __repr__(self) -> str:
        return f"<ViewMatrix {self.view!r}: {' x '.join(map(str, self.shape))}, {self.dtype}>"

    def _read(self, key: Any) -> tuple[FloatArray, Any]:
        """Read the rows that an index needs.

        :returns: The rows, and the index that takes from them what ``key`` takes from the whole matrix; ``None`` where
            these are the rows, each once.
        """
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self._column.read(start, max(start, stop)), slice(None)
            rows = np.arange(start, stop, step)
            return self._column.take(np.sort(rows)), slice(None, None, 1 if step > 0 else -1)
        if isinstance(key, bool | np.bool_) or key is None or key is Ellipsis:
            raise IndexError(f"a ViewMatrix is indexed by integers, slices, arrays of integers and masks, not by {key!r}")
        if hasattr(key, "__index__") and not (isinstance(key, np.ndarray) and key.ndim):
            row = self._positive(np.array([operator.index(key)]))[0]
            return self._column.read(row, row + 1), 0
        rows = self._positive(self._row_numbers(key))
        if rows.ndim == 1 and (np.diff(rows) > 0).all():
            return self._column.take(rows), None
        unique, inverse = np.unique(rows, return_inverse=True)
        return self._column.take(unique), inverse.reshape(rows.shape)

    def _row_numbers(self, key: Any) -> IntArray:
        index = np.asarray(key)
        if index.dtype == bool:
            if index.shape != (len(self),):
                raise IndexError(f"the mask has shape {index.shape}, and the view {self.view!r} has {len(self)} rows")
            return np.flatnonzero(index)
        if index.size == 0 and not isinstance(key, np.ndarray):
            index = index.astype(np.int64)
        if not np.issubdtype(index.dtype, np.integer):
            raise IndexError(f"rows of a view are taken by integers or a mask, not by {index.dtype}")
        return index.astype(np.int64)

    def _positive(self, rows: IntArray) -> IntArray:
        outside = (rows < -len(self)) | (rows >= len(self))
        if outside.any():
            raise IndexError(f"row {rows[outside].flat[0]} is out of range: the view {self.view!r} has {len(self)} rows")
        return np.where(rows < 0, rows + len(self), rows)
