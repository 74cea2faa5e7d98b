from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedpipe.batching import collate, plan_batches
from embedpipe.dataflow import Window

lengths_and_budget = (st.lists(st.integers(1, 60), max_size=80), st.integers(1, 200))


@given(*lengths_and_budget)
def test_every_window_is_in_exactly_one_batch(lengths, budget):
    assert sorted(index for batch in plan_batches(lengths, budget) for index in batch) == list(range(len(lengths)))


@given(*lengths_and_budget)
def test_a_batch_keeps_to_the_budget_unless_one_window_alone_exceeds_it(lengths, budget):
    for batch in plan_batches(lengths, budget):
        padded = max(lengths[index] for index in batch) * len(batch)
        assert padded <= budget or len(batch) == 1


@given(*lengths_and_budget)
def test_the_longest_windows_go_first_and_ties_keep_their_order(lengths, budget):
    flat = [index for batch in plan_batches(lengths, budget) for index in batch]
    assert flat == sorted(flat, key=lambda index: (-lengths[index], index))


def test_padding_is_on_the_right_and_masked():
    windows = [Window(np.array([5, 6, 7]), (1, 2), 0), Window(np.array([8]), (0, 1), 0)]
    batch = collate(windows, pad_id=99)
    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 99, 99]]
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]
