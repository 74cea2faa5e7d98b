from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.store.text import pack, unpack


@given(st.lists(st.text(st.characters(exclude_categories=()))), st.data())
def test_packed_strings_are_unpacked_whole_and_in_part(strings: list[str], data: st.DataObject) -> None:
    packed, offsets = pack(strings)
    assert packed.dtype == np.uint8 and offsets.dtype == np.int64 and offsets[0] == 0 and offsets[-1] == len(packed)
    assert unpack(packed, offsets) == strings
    start = data.draw(st.integers(0, len(strings)))
    stop = data.draw(st.integers(start, len(strings)))
    assert unpack(packed[offsets[start] : offsets[stop]], offsets[start : stop + 1]) == strings[start:stop]


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        unpack(np.array([0xFF], np.uint8), np.array([0, 1]))
