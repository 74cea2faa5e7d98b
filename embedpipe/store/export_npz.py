"""A .npz of numpy: arrays by name, read with ``numpy.load``. Written piece by piece, however large the views are."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.errors import StoreError
from embedpipe.store.format import NO_PAIR
from embedpipe.store.matrix import ROWS_A_READ

if TYPE_CHECKING:
    from embedpipe.store.export import OnRows
    from embedpipe.store.reader import Store

_MOST_TEXT_BYTES = 4 * 2**30


def write_npz(store: Store, views: tuple[str, ...], path: Path, doing: str, on_progress: OnRows) -> None:
    """Write an array a view, by its name, and beside them:

    - ``ids``: of the sentences; ``words``: of all sentences, one behind the other
    - ``word_offsets``: where the words of each sentence start, and at the end how many there are: the rows of a view of words;
      ``subword_offsets`` likewise, where there is a view of subwords, and ``word_subwords``: which subwords of its sentence
      each word has, from the first up to the one behind the last
    - where sentences are pairs of texts, ``text``: for each word, whether it is of the first (1) or the second (2); and
      ``second_from``: for each sentence, the number of words of the first, so the index of the second's first; -1 for no pair
    - ``label_NAME``: the values of a label, of words or of sentences; the empty string where there is none

    :raises StoreError: If a view has the name of one of these, or the text does not fit an array of numpy.
    """
    beside = dict(_beside(store, views))
    if same := sorted(beside.keys() & set(views)):
        others = " ".join(f"--view {view}" for view in views if view not in same)
        raise StoreError(f"{doing}: the view {same[0]!r} has the name of another array of the file; leave it out: {others}")
    for name, array in beside.items():
        if array.nbytes > _MOST_TEXT_BYTES:
            size = array.nbytes / 2**30
            raise StoreError(f"{doing}: {name!r} would take {size:.0f} GiB as an array of numpy; export to parquet instead")
    done, total = 0, sum(len(store.matrix(view)) for view in views)
    with zipfile.ZipFile(path, "w") as file:
        for name, array in beside.items():
            _write_array(file, name, array.shape, array.dtype, [array], zipfile.ZIP_DEFLATED)
        for view in views:
            matrix = store.matrix(view)
            starts = range(0, len(matrix), ROWS_A_READ)
            pieces = (matrix.read(start, min(start + ROWS_A_READ, len(matrix))) for start in starts)
            _write_array(file, view, matrix.shape, matrix.dtype, _reporting(pieces, done, total, on_progress))
            done += len(matrix)


def _beside(store: Store, views: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray]]:
    yield "ids", _text(list(store.ids))
    yield "words", _text([word for sentence in store for word in sentence.words])
    yield "word_offsets", store.offsets("word")
    if store.has_pairs:
        yield "text", np.array([text for sentence in store for text in sentence.text_of_words], np.int8)
        seconds = (sentence.second_from for sentence in store)
        yield "second_from", np.array([NO_PAIR if second is None else second for second in seconds], np.int64)
    if any(store.views[view].unit == "subword" for view in views):
        yield "subword_offsets", store.offsets("subword")
        yield (
            "word_subwords",
            np.array([span for sentence in store for span in sentence.word_subwords], np.int64).reshape(-1, 2),
        )
    for name in store.label_names:
        label = store.label(name)
        values = _text([*label.vocabulary, ""])
        yield f"label_{name}", values[label.codes]  # -1, for none, is the empty string behind the values


def _text(strings: list[str]) -> np.ndarray:
    return np.array(strings, dtype=np.str_) if strings else np.empty(0, dtype="<U1")


def _reporting(pieces: Iterable[np.ndarray], done: int, total: int, on_progress: OnRows) -> Iterator[np.ndarray]:
    for piece in pieces:
        yield piece
        done += len(piece)
        on_progress(done, total)


def _write_array(
    file: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    pieces: Iterable[np.ndarray],
    compression: int = zipfile.ZIP_STORED,
) -> None:
    entry = zipfile.ZipInfo(f"{name}.npy")  # of a fixed date, so that equal stores give equal files
    entry.compress_type = compression
    with file.open(entry, "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(member, header)
        for piece in pieces:
            member.write(np.ascontiguousarray(piece).data.cast("B") if piece.size else b"")
