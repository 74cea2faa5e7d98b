"""Which rows of a view are meant: the ``X`` of :class:`~embedpipe.downstream.StoreFeatures`."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.errors import FeaturesError

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray, Unit
    from embedpipe.store import Store


def row_numbers(X: Any, store: Store, view: str) -> IntArray:
    """Read rows off a frame of the store, row numbers, or sentence ids.

    :returns: *Shape:* ``(num_rows,)``, int64, all of them in the view.
    :raises FeaturesError: If they are not rows of the view; says what was found and what was expected.
    """
    if not _is_frame(X):
        return _of_values(_one_dimensional(X, store, view), store, view)
    if "row" not in X.columns and X.shape[1] == 1:
        return _of_values(X.iloc[:, 0].to_numpy(), store, view)
    rows = _of_values(_row_column(X, store, view), store, view)
    _require_frame_of(store, view, X, rows)
    return rows


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "iloc")


def _row_column(frame: Any, store: Store, view: str) -> Any:
    unit, found = store.views[view].unit, _unit_of_frame(frame)
    if found is not None and found != unit:
        raise _refusal(store, view, f"a frame of {found}s")
    if "row" not in frame.columns:
        columns = ", ".join(map(str, frame.columns))
        raise _refusal(store, view, f"a DataFrame without the column 'row' (it has: {columns or 'none'})")
    return frame["row"].to_numpy()


def _unit_of_frame(frame: Any) -> Unit | None:
    """A slice of columns may leave open what the rows stand for."""
    if "subword_index" in frame.columns:
        return "subword"
    if "word_index" in frame.columns:
        return "word"
    return "sentence" if "num_words" in frame.columns else None


def _require_frame_of(store: Store, view: str, frame: Any, rows: IntArray) -> None:
    """Look at the first, middle and last row: a frame of another store would silently give the vectors of other words."""
    if "sentence_id" not in frame.columns or not len(rows):
        return
    for index in sorted({0, len(rows) // 2, len(rows) - 1}):
        id, row = str(frame["sentence_id"].iloc[index]), int(rows[index])
        known = id in store.ids
        own = store.rows(view, id) if known else slice(0, 0)
        if not own.start <= row < own.stop:
            holds = f"has the rows {own.start} to {own.stop - 1}" if own.start < own.stop else "has no rows"
            there = (
                f"that sentence {holds} in view {view!r} of {store.source}" if known else f"{store.source} has no such sentence"
            )
            raise FeaturesError(
                f"the frame is not one of this store: it says that row {row} is of sentence {id!r}, but {there}. "
                "Take the frame and the vectors from the same store."
            )


def _one_dimensional(X: Any, store: Store, view: str) -> Any:
    if isinstance(X, str | bytes):
        raise _refusal(store, view, f"one string ({X!r:.60})")
    if hasattr(X, "toarray"):
        raise _refusal(store, view, "a sparse array")
    try:
        values = np.asarray(X)
    except ValueError:  # lists of unequal length
        raise _refusal(store, view, f"a nested {type(X).__name__}") from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise _refusal(store, view, f"{type(X).__name__} of shape {values.shape}")
    return values


def _of_values(values: Any, store: Store, view: str) -> IntArray:
    values = np.asarray(values)
    if not values.size:
        return np.zeros(0, np.int64)
    if values.dtype.kind in "iu" or _are_all(values, Integral):
        return _within(values.astype(np.int64), store, view)
    if values.dtype.kind not in "UT" and not _are_all(values, str):
        raise _refusal(store, view, _described(values))
    if store.views[view].unit != "sentence":
        raise _refusal(store, view, f"strings ({str(values[0])!r})")
    return store.indices(values.tolist())


def _are_all(values: Any, kind: type) -> bool:
    """Whether an array of objects, as pandas makes them, holds nothing but integers or strings."""
    return values.dtype == object and all(isinstance(value, kind) and not isinstance(value, bool) for value in values)


def _described(values: Any) -> str:
    if values.dtype == bool:
        return "a mask (numpy.flatnonzero turns a mask into row numbers)"
    if values.dtype != object:
        return f"an array of {values.dtype}"
    return f"an array of objects, such as {values[0]!r:.60}"


def _within(rows: IntArray, store: Store, view: str) -> IntArray:
    num_rows = store.matrix(view).shape[0]
    outside = (rows < 0) | (rows >= num_rows)
    if outside.any():
        raise FeaturesError(
            f"row {rows[outside][0]} is not in view {view!r} of {store.source}, which has {num_rows:,} rows, numbered from 0."
        )
    return rows


def _refusal(store: Store, view: str, found: str) -> FeaturesError:
    unit = store.views[view].unit
    expected = {
        "word": "store.words_frame() or a part of it, or row numbers",
        "sentence": "store.sentences_frame() or a part of it, row numbers, or sentence ids",
        "subword": "store.subwords_frame() or a part of it, or row numbers",
    }[unit]
    return FeaturesError(
        f"which rows of view {view!r} of {store.source} are meant? Its rows are {unit}s. Expected {expected}; found {found}."
    )
