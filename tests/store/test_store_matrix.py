from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from store_samples import fixed_sample

from embedpipe.store import Store, open_store

SAMPLE = fixed_sample(30)
NUM_WORDS = len(SAMPLE.rows["last"])

row = st.integers(-NUM_WORDS, NUM_WORDS - 1)
keys = st.one_of(
    row,
    row.map(np.int32),
    st.slices(NUM_WORDS),
    st.lists(row, max_size=20),
    hnp.arrays(np.int64, hnp.array_shapes(max_dims=2, max_side=6), elements=row),
    hnp.arrays(np.bool_, NUM_WORDS),
    st.just(Ellipsis),
    st.tuples(st.slices(NUM_WORDS), st.integers(-2, 1)),
    st.tuples(st.lists(row, min_size=2, max_size=2), st.just([0, 1])),
    st.tuples(row, st.slices(2)),
)


@pytest.fixture(scope="module", params=[7, 1000], ids=["shards", "one file"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with open_store(SAMPLE.write(tmp_path_factory.mktemp("matrix") / "s.h5", size=request.param)) as store:
        yield store


@given(key=keys)
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("view", ["last", "half/all"])
def test_indexing_is_that_of_numpy(store: Store, view: str, key: Any) -> None:
    expected = SAMPLE.rows[view][key]
    found = store.matrix(view)[key]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_only_the_rows_that_are_asked_for_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    matrix = store.matrix("last")
    kind = type(matrix._column)
    original = kind._read_into

    def note(self: Any, out: np.ndarray, start: int) -> None:
        read.extend(range(start, start + len(out)))
        original(self, out, start)

    monkeypatch.setattr(kind, "_read_into", note)
    matrix[[7, 3, 3, 8, -1]]
    assert read == [3, 7, 8, NUM_WORDS - 1]
    read.clear()
    matrix[5:9]
    assert read == [5, 6, 7, 8]


def test_it_is_an_array_to_numpy(store: Store) -> None:
    matrix = store.matrix("half/all")
    assert (matrix.shape, matrix.ndim, len(matrix), matrix.dtype) == ((NUM_WORDS, 2, 3), 3, NUM_WORDS, np.float16)
    assert matrix.size == NUM_WORDS * 6
    assert np.asarray(matrix, dtype=np.float64).dtype == np.float64
    np.testing.assert_array_equal(np.stack(list(matrix)), np.asarray(matrix))
    with pytest.raises(ValueError, match="always a copy"):
        np.array(matrix, copy=False)
    assert repr(matrix) == f"<ViewMatrix 'half/all': {NUM_WORDS} x 2 x 3, float16>"


def test_what_was_read_is_the_readers_own(store: Store) -> None:
    vectors = store.vectors("last", 4)
    vectors += 1
    np.testing.assert_array_equal(store.vectors("last", 4) + 1, vectors)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (NUM_WORDS, "out of range"),
        ([0, -NUM_WORDS - 1], "out of range"),
        (np.zeros(3, bool), "the mask has shape"),
        ([0.5], "not by float64"),
        (None, "not by None"),
        (True, "not by True"),
        ("last", "not by <U4"),
    ],
)
def test_wrong_index_is_an_index_error(store: Store, key: Any, message: str) -> None:
    with pytest.raises(IndexError, match=message):
        store.matrix("last")[key]
