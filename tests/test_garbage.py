"""What was there before an extraction is not searched for garbage while it runs, and is afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from embedpipe.garbage import old_objects_left_alone, search_rarely


class _Knot:
    """Garbage that only a search finds, once it is let go of."""

    def __init__(self) -> None:
        self.itself = self


def test_old_garbage_stays_until_the_end_and_new_garbage_is_found():
    old = weakref.ref(_Knot())
    with old_objects_left_alone():
        new = weakref.ref(_Knot())
        gc.collect()
        assert (old() is None, new() is None) == (False, True)
    gc.collect()
    assert old() is None
    assert gc.get_freeze_count() == 0


def test_an_error_ends_it_too():
    with pytest.raises(ValueError, match="of the block"), old_objects_left_alone():
        raise ValueError("of the block")
    assert gc.get_freeze_count() == 0


def test_what_a_program_has_frozen_stays_frozen():
    gc.freeze()
    try:
        with old_objects_left_alone():
            new = weakref.ref(_Knot())
            gc.collect()
            assert new() is None
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_importing_embedpipe_leaves_the_search_of_a_program_alone():
    code = "import gc; before = gc.get_threshold(); import embedpipe, embedpipe.cli.main; assert gc.get_threshold() == before"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_searching_rarely_still_searches():
    before = gc.get_threshold()
    try:
        search_rarely()
        gone = weakref.ref(_Knot())
        several = [[] for _ in range(2 * gc.get_threshold()[0])]
        assert gone() is None and several
    finally:
        gc.set_threshold(*before)
