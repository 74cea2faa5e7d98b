"""Whether a block is fit to be stored. It is checked as a whole before any of it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import Block, ViewInfo
from embedpipe.errors import NonFiniteError, StoreError
from embedpipe.store.format import ROWS, VIEW_DTYPES

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray

_PIECE_BYTES = 1 << 23
"""Large enough that handing a piece to the thread that computes the checksum costs nothing beside computing it, and that the
system keeps the file in large pages, from which it is read a tenth faster while it is in memory."""


def check_block(block: Block, views: Mapping[str, ViewInfo]) -> None:
    """Check that the parts of a block agree with each other and with the views.

    :raises StoreError: Names the part, what it has and what it should have.
    """
    num_sentences = len(block.sentences)
    for sentence in block.sentences:
        if sentence.spans is None:
            raise StoreError(f"cannot store sentence {sentence.id!r}: its words are not known yet (spans is None).")
    num_words = sum(len(sentence.spans or ()) for sentence in block.sentences)
    num_subwords = int(np.sum(block.num_subwords, dtype=np.int64))
    counts = {"num_sentences": num_sentences, "num_words": num_words, "num_subwords": num_subwords}
    _check_shape(block, "sentence_flags", (num_sentences,))
    _check_shape(block, "word_flags", (num_words,))
    _check_shape(block, "num_subwords", (num_sentences,))
    _check_shape(block, "subword_ids", (num_subwords,))
    _check_shape(block, "word_offsets", (num_words, 2))
    if block.views.keys() != views.keys():
        raise StoreError(f"cannot store a block: it has the views {sorted(block.views)}, the store {sorted(views)}.")
    for name, info in views.items():
        found, expected = np.shape(block.views[name]), (counts[ROWS[info.unit]], *info.row_shape)
        if found != expected:
            raise StoreError(f"cannot store a block: view {name!r} has shape {found}, expected {expected}.")


def stored_rows(block: Block, name: str, info: ViewInfo, rows: FloatArray) -> Iterator[FloatArray]:
    """The rows of a view in the dtype of the store, checked piece by piece as they are asked for.

    :param block: That they are of; its views are not looked at.
    :raises StoreError: Before the first piece, if they are no floating-point numbers.
    :raises NonFiniteError: If a number is not finite, or not within the range of that dtype; names the sentence.
    """
    rows = np.asarray(rows)
    if not np.issubdtype(rows.dtype, np.floating):
        raise StoreError(f"cannot store a block: view {name!r} has dtype {rows.dtype}, expected {info.dtype}.")
    return _pieces(block, name, info, rows)


def narrowed(values: Any, dtype: str, what: str) -> np.ndarray[Any, Any]:
    """Integers in the dtype of their column.

    :raises StoreError: If one does not fit.
    """
    array = np.asarray(values, np.int64)
    limits = np.iinfo(dtype)
    if array.size and not (limits.min <= array.min() and array.max() <= limits.max):
        raise StoreError(f"cannot store a block: {what} go from {array.min()} to {array.max()}, beyond {limits.max}.")
    return array.astype(dtype)


def _pieces(block: Block, name: str, info: ViewInfo, rows: FloatArray) -> Iterator[FloatArray]:
    dtype = np.dtype(VIEW_DTYPES[info.dtype])
    num_rows = max(1, _PIECE_BYTES // max(1, dtype.itemsize * int(np.prod(info.row_shape))))
    for start in range(0, len(rows), num_rows):
        with np.errstate(over="ignore", invalid="ignore"):
            stored = np.ascontiguousarray(rows[start : start + num_rows], dtype)
        if not _is_finite(stored):
            row = start + int(np.flatnonzero(~np.isfinite(stored).reshape(len(stored), -1).all(axis=1))[0])
            raise _non_finite(block, name, info, row, rows[row])
        yield stored


def _is_finite(stored: FloatArray) -> bool:
    """Whether all numbers are finite, told in a fraction of the time that ``numpy.isfinite`` takes."""
    if not stored.size:
        return True
    if stored.dtype.itemsize == 2:  # as integers, positive numbers end at 0x7BFF and negative ones at 0xFBFF
        return bool(stored.view("<i2").max() < 0x7C00 and stored.view("<u2").max() < 0xFC00)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduce(stored, axis=None)
    return bool(np.isfinite(total)) or bool(np.isfinite(stored).all())  # a sum may be too large itself


def _check_shape(block: Block, name: str, expected: tuple[int, ...]) -> None:
    found = np.shape(getattr(block, name))
    if found != expected:
        raise StoreError(f"cannot store a block: {name} has shape {found}, expected {expected}.")


def _non_finite(block: Block, name: str, info: ViewInfo, row: int, values: FloatArray) -> NonFiniteError:
    lengths = {
        "sentence": np.ones(len(block.sentences), np.int64),
        "word": np.array([len(sentence.spans or ()) for sentence in block.sentences], np.int64),
        "subword": np.asarray(block.num_subwords),
    }[info.unit]
    ends = np.cumsum(lengths)
    index = int(np.searchsorted(ends, row, "right"))
    sentence, within = block.sentences[index], row - int(ends[index] - lengths[index])
    place = "" if info.unit == "sentence" else f", {info.unit} {within}"
    if info.unit == "word":
        place += f" ({sentence.words[within]!r})"
    where = f"cannot store view {name!r} of sentence {sentence.id!r}{place}"
    if not np.isfinite(values).all():
        return NonFiniteError(f"{where}: the vector is not finite. The encoder made it so; try precision float32.")
    largest = float(np.abs(values).max())
    return NonFiniteError(f"{where}: {largest:g} does not fit into {info.dtype}. Store float32 (store.dtype in the config).")
