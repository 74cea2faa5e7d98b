from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedpipe.errors import AlignmentError
from embedpipe.pooling import pool_words

REDUCE = {
    "first": lambda rows: rows[0],
    "last": lambda rows: rows[-1],
    "mean": lambda rows: rows.mean(axis=0),
    "max": lambda rows: rows.max(axis=0),
}


@st.composite
def ranges(draw):
    num_subwords = draw(st.integers(0, 30))
    pairs = draw(st.lists(st.tuples(st.integers(0, num_subwords), st.integers(0, num_subwords)), max_size=20))
    return num_subwords, [tuple(sorted(pair)) for pair in pairs]


@given(ranges(), st.sampled_from(sorted(REDUCE)), st.booleans())
@settings(deadline=None)
def test_pooling_equals_numpy_range_by_range(drawn, mode, stacked):
    num_subwords, offsets = drawn
    vectors = np.random.default_rng(0).normal(size=(num_subwords, 3, 4) if stacked else (num_subwords, 4)).astype(np.float32)
    pooled = pool_words(torch.from_numpy(vectors), torch.tensor(offsets, dtype=torch.int64).reshape(-1, 2), mode=mode).numpy()
    assert pooled.shape == (len(offsets), *vectors.shape[1:])
    for row, (start, end) in zip(pooled, offsets, strict=True):
        expected = REDUCE[mode](vectors[start:end]) if start < end else np.zeros(vectors.shape[1:])
        np.testing.assert_allclose(row, expected, atol=1e-6)


@pytest.mark.parametrize("offsets", [[[-1, 1]], [[0, 4]], [[0, 1], [2, 1]]])
def test_a_range_that_leaves_the_sequence_is_an_error_that_names_the_word(offsets):
    with pytest.raises(AlignmentError, match=rf"pooling word {len(offsets) - 1}: .* leave the sequence of 3 subwords"):
        pool_words(torch.zeros(3, 2), torch.tensor(offsets), mode="mean")


def test_a_range_is_pooled_to_the_same_bits_whatever_other_ranges_there_are():
    vectors = torch.randn(500, 16)
    many = torch.tensor([[start, start + 7] for start in range(490)])
    alone = pool_words(vectors, many[123:124], mode="mean")
    assert torch.equal(pool_words(vectors, many, mode="mean")[123], alone[0])
