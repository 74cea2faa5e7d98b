"""Rows that are to be tagged: of a store, whether it has the label or not, and of sentences that were just embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from embedpipe.downstream.examples import NO_CODE, Examples

if TYPE_CHECKING:
    from embedpipe.dataflow import Block, FloatArray, IntArray
    from embedpipe.downstream.selection import Selection
    from embedpipe.store import Store


class _EmbeddedRows:
    """The rows of a block in the place of a store's."""

    def __init__(self, views: Any) -> None:
        self._views = views

    def matrix(self, view: str) -> FloatArray:
        rows: FloatArray = self._views[view]
        return rows


def rows_of_store(store: Store, selection: Selection, tags: tuple[str, ...]) -> Examples:
    """Every sentence of a store."""
    return _examples(store, selection, np.diff(store.offsets(selection.info.unit)), tags)


def rows_of_block(block: Block, selection: Selection, tags: tuple[str, ...]) -> Examples:
    """Every sentence of a block."""
    of_unit = {
        "sentence": np.ones(len(block.sentences), np.int64),
        "word": np.array([len(sentence.spans or ()) for sentence in block.sentences], np.int64),
        "subword": np.asarray(block.num_subwords, np.int64),
    }
    store = cast("Store", _EmbeddedRows(block.views))
    return _examples(store, selection, of_unit[selection.info.unit], tags)


def _examples(store: Store, selection: Selection, lengths: IntArray, tags: tuple[str, ...]) -> Examples:
    starts = np.cumsum(lengths) - lengths
    codes = np.full(int(lengths.sum()), NO_CODE, np.int64)
    return Examples(store, selection, np.arange(len(lengths)), starts, lengths, codes, tags)
