"""Whether the vectors of one file are finite, and zero only where its flags say so."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.dataflow import SentenceFlag, ViewInfo, WordFlag
from embedpipe.store import format as names
from embedpipe.store.contents import view_path
from embedpipe.store.finding import Fault

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray, IntArray
    from embedpipe.store.sealed import SealedFile

_BYTES_A_READ = 4 << 20
_BITS: dict[int, tuple[Any, int, int]] = {4: (np.uint32, 0x7FFFFFFF, 0x7F800000), 2: (np.uint16, 0x7FFF, 0x7C00)}
"""By the size of a number: its bits as an integer, all of them but the sign, and the first that is not finite."""


def check_view(file: SealedFile, name: str) -> Iterator[Fault]:
    """Check all rows of a view, some megabytes at a time.

    :raises DamagedStoreError: If they cannot be read.
    """
    info, column = file.structure.views[name], file.column(view_path(name))
    row_bytes = max(1, math.prod(column.shape[1:]) * column.dtype.itemsize)
    step = max(1, _BYTES_A_READ // row_bytes)
    for start in range(0, len(column), step):
        largest, limit = _largest(column.read(start, min(start + step, len(column))))
        (wrong,) = np.nonzero(largest >= limit)
        if len(wrong):
            yield _fault(file, name, info, wrong + start, "is not finite")
        if info.unit == "word":
            yield from _check_zeros(file, name, info, largest == 0, start)


def _largest(rows: FloatArray) -> tuple[np.ndarray[Any, Any], int]:
    """The largest absolute value of each row, as bits, which have the order of the numbers; and those of infinity."""
    kind, magnitude, infinity = _BITS[rows.dtype.itemsize]
    bits = rows.reshape(len(rows), -1).view(kind)
    return (bits & kind(magnitude)).max(axis=1, initial=0), infinity


def _check_zeros(file: SealedFile, name: str, info: ViewInfo, is_zero: np.ndarray[Any, Any], start: int) -> Iterator[Fault]:
    flags = file.column(names.WORD_FLAGS).read(start, start + len(is_zero))
    without = (flags & WordFlag.NO_SUBWORDS.value) != 0
    (wrong,) = np.nonzero(without & ~is_zero)
    if len(wrong):
        yield _fault(file, name, info, wrong + start, "is not zero, and its word has no subwords")
    may_be = without | ((flags & WordFlag.UNKNOWN_SUBWORD.value) != 0)  # a static encoder has no vector for it
    (wrong,) = np.nonzero(is_zero & ~may_be)
    if len(wrong):
        failed = file.column(names.SENTENCE_FLAGS).mapped()[_sentences(file, info, wrong + start)] & SentenceFlag.FAILED.value
        wrong = wrong[failed == 0]
    if len(wrong):
        yield _fault(file, name, info, wrong + start, "is zero, and its word has subwords")


def _fault(file: SealedFile, name: str, info: ViewInfo, rows: IntArray, what: str) -> Fault:
    sentences = _sentences(file, info, rows)

    def say(index: int) -> str:
        row, sentence = int(rows[index]), int(sentences[index])
        return f"view {name!r}: {_vector(file, info, row, sentence)} (row {row:,}) {what}"

    return Fault("vectors", say, sentences)


def _vector(file: SealedFile, info: ViewInfo, row: int, sentence: int) -> str:
    if info.unit == "sentence":
        return "the vector"
    return f"the vector of {info.unit} {row - int(_offsets(file, info)[sentence])}"


def _sentences(file: SealedFile, info: ViewInfo, rows: IntArray) -> IntArray:
    """The sentence of each row; sentences whose offsets are broken are another check's finding."""
    if info.unit == "sentence":
        return rows
    last = max(0, file.structure.counts["num_sentences"] - 1)
    return np.clip(np.searchsorted(_offsets(file, info), rows, "right") - 1, 0, last)


def _offsets(file: SealedFile, info: ViewInfo) -> IntArray:
    return file.column(names.WORD_OFFSETS if info.unit == "word" else names.SUBWORD_OFFSETS).mapped()
