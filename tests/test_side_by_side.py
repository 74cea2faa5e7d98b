from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
import torch

from embedpipe.side_by_side import one_ahead, run_side_by_side


@pytest.mark.parametrize("num_threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(num_threads):
    def slow_at_first(item):
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(run_side_by_side(slow_at_first, list(range(9)), num_threads)) == [item * item for item in range(9)]


def test_as_many_items_are_at_work_as_there_are_threads():
    meeting = threading.Barrier(3, timeout=10)
    assert list(run_side_by_side(lambda item: meeting.wait() >= 0, list(range(6)), 3)) == [True] * 6


def test_the_cores_of_torch_are_shared_out_and_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert set(run_side_by_side(lambda item: torch.get_num_threads(), [1, 2, 3], 2)) == {2}
        assert set(run_side_by_side(lambda item: torch.get_num_threads(), [1, 2, 3], 9)) == {1}
        assert torch.get_num_threads() == 4
        with pytest.raises(ZeroDivisionError):
            list(run_side_by_side(lambda item: 1 // item, [1, 0], 2))
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_the_first_item_that_fails_is_the_one_that_is_told_and_ends_it():
    done = []

    def fail_late(item):
        if item == 1:
            time.sleep(0.05)
        if item in (1, 2):
            raise ValueError(item)
        time.sleep(0.01)
        done.append(item)

    with pytest.raises(ValueError, match="1"):
        list(run_side_by_side(fail_late, list(range(1000)), 2))
    assert len(done) < 900


def test_items_are_made_one_ahead_and_no_further():
    made = []
    items = one_ahead(made.append(number) or number for number in range(10))
    assert not made
    assert next(items)[0] == 0
    deadline = time.monotonic() + 10
    while made != [0, 1] and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert made == [0, 1]
    assert [item for item, _ in items] == list(range(1, 10))


def test_an_error_in_making_an_item_comes_when_its_turn_has_come():
    def failing():
        yield 1
        raise ValueError("in the corpus")

    items = one_ahead(failing())
    item, is_last = next(items)
    assert item == 1 and not is_last()
    with pytest.raises(ValueError, match="in the corpus"):
        next(items)


def test_an_item_knows_whether_it_is_the_last_one():
    assert [is_last() for _, is_last in one_ahead(iter("abc"))] == [False, False, True]


def test_leaving_early_leaves_no_thread_behind():
    before = threading.active_count()
    items = one_ahead(iter(range(10)))
    next(items)
    items.close()
    results = run_side_by_side(lambda item: item, list(range(100)), 3)
    next(results)
    results.close()
    assert threading.active_count() == before


def test_an_item_that_never_comes_does_not_keep_the_process_from_ending():
    script = (
        "import queue, threading\n"
        "from embedpipe.side_by_side import one_ahead\n"
        "def items():\n"
        "    yield 'one'\n"
        "    yield queue.SimpleQueue().get()\n"
        "def use():\n"
        "    for item, _ in one_ahead(items()):\n"
        "        print(item, flush=True)\n"
        "        used.set()\n"
        "used = threading.Event()\n"
        "threading.Thread(target=use, daemon=True).start()\n"
        "used.wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout == "one\n"
