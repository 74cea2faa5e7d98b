from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from embedpipe.encoders.pieces import piece_sizes


@given(length=st.integers(0, 2**40), bits=st.integers(1, 6), least=st.sampled_from([1, 64, 1024]))
def test_sizes_add_up_and_have_few_leading_bits(length, bits, least):
    sizes = piece_sizes(length, bits=bits, least=least)
    assert sum(sizes) == length and sizes == sorted(sizes, reverse=True) and 0 not in sizes
    assert len(sizes) <= 2 + 40 // bits
    assert all(
        size < least or (rest := max(0, size.bit_length() - bits)) == 0 or size >> rest << rest == size for size in sizes
    )


def test_batches_of_all_lengths_have_sizes_in_common():
    lengths = range(1536 * 1500, 1536 * 2049, 1536)
    assert len({size for length in lengths for size in piece_sizes(length, bits=3, least=1024)}) < 50 < len(lengths)
    rows = range(16, 2049, 16)
    assert len({size for length in rows for size in piece_sizes(length, bits=4, least=64)}) == 27
