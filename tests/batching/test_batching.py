from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embedpipe.batching import Batching, collate, group_equal, plan_batches
from embedpipe.dataflow import Window

given_any = given(
    lengths=st.lists(st.integers(1, 60), max_size=80), budget=st.integers(1, 2000), multiple=st.sampled_from([1, 2, 16, 64])
)


@given_any
def test_every_window_is_in_exactly_one_batch(lengths, budget, multiple):
    batches = plan_batches(lengths, budget, multiple=multiple)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


@given_any
def test_a_batch_keeps_to_the_budget_unless_one_window_alone_exceeds_it(lengths, budget, multiple):
    for batch in plan_batches(lengths, budget, multiple=multiple):
        padded = max(lengths[index] for index in batch) * len(batch)
        assert padded <= budget or len(batch) == 1


@given_any
def test_all_batches_but_the_last_have_a_multiple_of_subwords_if_they_may_have_many_windows(lengths, budget, multiple):
    for batch in plan_batches(lengths, budget, multiple=multiple)[:-1]:
        longest = lengths[batch[0]]
        if budget // longest >= 4 * multiple:
            assert len(batch) * longest % multiple == 0


@given_any
def test_the_longest_windows_go_first_and_ties_keep_their_order(lengths, budget, multiple):
    flat = [index for batch in plan_batches(lengths, budget, multiple=multiple) for index in batch]
    assert flat == sorted(flat, key=lambda index: (-lengths[index], index))


def seconds(lengths, batches, budget):
    """What the plan is to keep small: padded subwords, and a thirty-second part of the budget for each batch."""
    return sum(len(batch) * max(lengths[index] for index in batch) + budget / 32 for batch in batches)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(30, 120))
@settings(deadline=None)
def test_no_way_to_cut_the_sorted_windows_by_length_takes_less_time(lengths, budget):
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    runs = [list(run) for _, run in itertools.groupby(order, key=lambda index: lengths[index])]
    planned = seconds(lengths, plan_batches(lengths, budget), budget)
    for cuts in itertools.product([False, True], repeat=len(runs) - 1):
        batches = [list(runs[0])]
        for cut, run in zip(cuts, runs[1:], strict=True):
            batches = [*batches, run] if cut else [*batches[:-1], batches[-1] + run]
        if all(len(batch) * lengths[batch[0]] <= budget for batch in batches):
            assert planned <= seconds(lengths, batches, budget)


def test_few_numbers_of_a_usual_corpus_are_padding():
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(2.8, 0.7, 2000), 3, 512).astype(int).tolist()
    for budget, multiple in ((512, 1), (1024, 1), (2048, 16)):
        batches = plan_batches(lengths, budget, multiple=multiple)
        padded = sum(max(lengths[index] for index in batch) * len(batch) for batch in batches)
        assert 1 - sum(lengths) / padded < 0.03


def test_few_different_numbers_of_subwords_stand_for_many():
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(2.8, 0.7, 20_000), 3, 512).astype(int).tolist()

    def sizes(multiple):
        batches = plan_batches(lengths, 2048, multiple=multiple)
        return {len(batch) * lengths[batch[0]] for batch in batches if lengths[batch[0]] <= 32}

    assert len(sizes(16)) < 30 < len(sizes(1))


@given(st.integers(0, 10**7))
def test_a_budget_that_is_given_is_taken_whatever_the_device_and_the_block(num_subwords):
    assert Batching(7).budget(num_subwords, on_cpu=True) == Batching(7).budget(num_subwords, on_cpu=False) == 7


@given(st.integers(0, 10**7))
def test_a_budget_that_is_left_out_is_one_for_a_gpu_and_cuts_a_small_block_into_a_dozen_batches_on_a_cpu(num_subwords):
    assert Batching().budget(num_subwords, on_cpu=False) == Batching().budget(0, on_cpu=False)
    budget = Batching().budget(num_subwords, on_cpu=True)
    assert 256 <= budget <= 2048
    assert budget in (256, 2048) or budget == num_subwords // 12


@given(st.lists(st.lists(st.integers(0, 2), max_size=3), max_size=12))
def test_windows_are_grouped_that_an_encoder_cannot_tell_apart(texts):
    windows = [Window(np.array(text, dtype=np.int64), (0, len(text)), 0) for text in texts]
    groups = group_equal(windows)
    assert sorted(index for group in groups for index in group) == list(range(len(texts)))
    assert [texts[group[0]] for group in groups] == [text for number, text in enumerate(texts) if text not in texts[:number]]
    assert all(texts[index] == texts[group[0]] for group in groups for index in group)


def test_windows_with_other_segments_are_not_equal():
    ids = np.array([1, 2, 3])
    windows = [Window(ids, (0, 3), 0, segment_ids=segments) for segments in (None, np.array([0, 0, 1]), np.array([0, 1, 1]))]
    assert group_equal([*windows, *windows]) == [[0, 3], [1, 4], [2, 5]]


def test_padding_is_on_the_right_and_masked():
    windows = [Window(np.array([5, 6, 7]), (1, 2), 0), Window(np.array([8]), (0, 1), 0)]
    batch = collate(windows, pad_id=99)
    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 99, 99]]
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]
