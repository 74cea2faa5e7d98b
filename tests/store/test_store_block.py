from __future__ import annotations

import numpy as np
import pytest

from embedpipe.dataflow import Block, Sentence, ViewInfo
from embedpipe.errors import NonFiniteError
from embedpipe.store.block import stored_rows


def block_of(num_sentences: int) -> Block:
    """Sentences without words."""
    none, zeros = np.empty(0, np.int64), np.zeros(num_sentences, np.int64)
    sentences = tuple(Sentence.from_words(str(index), "d", []) for index in range(num_sentences))
    return Block(sentences, zeros, none, zeros, none, none.reshape(0, 2), {})


def stored(numbers: np.ndarray) -> np.ndarray:
    """What is stored of sentences whose vectors are one number each."""
    info = ViewInfo("sentence", 1, (0,), str(numbers.dtype), "x", "mean")
    return np.concatenate([*stored_rows(block_of(len(numbers)), "all", info, numbers[:, None])]).ravel()


def test_each_finite_float16_is_stored_bit_for_bit_and_no_other() -> None:
    numbers = np.arange(2**16, dtype=np.uint16).view(np.float16)
    is_finite = np.isfinite(numbers)
    assert np.array_equal(stored(numbers[is_finite]).view(np.uint16), numbers[is_finite].view(np.uint16))
    for number in numbers[~is_finite]:
        with pytest.raises(NonFiniteError, match="sentence '1': the vector is not finite"):
            stored(np.array([1, number, -1], np.float16))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_float32_that_is_not_finite_is_refused_and_a_sum_that_is_not_finite_is_nothing_to_refuse(number: float) -> None:
    largest = np.full(3, np.finfo(np.float32).max)
    assert np.array_equal(stored(largest), largest)
    with pytest.raises(NonFiniteError, match="sentence '1': the vector is not finite"):
        stored(np.array([1, number, -number], np.float32))
