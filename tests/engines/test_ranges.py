"""Who embeds what: every sentence once, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from embedpipe.dataflow import Bookmark
from embedpipe.engines.ranges import Mark, Range, Ranges


def test_the_next_range_begins_where_the_last_one_that_was_read_ends() -> None:
    ranges = Ranges([(0, None)])
    assert ranges.take() == Range(0, None)
    assert ranges.take() is None, "where the first one ends is not known yet"
    assert ranges.read(0, 7)
    assert ranges.take() == Range(7, None, None, 7)
    ranges.over(7)
    assert not ranges.is_done
    ranges.made(0)
    assert ranges.is_done


def test_a_gap_with_an_end_is_not_gone_beyond() -> None:
    ranges = Ranges([(3, 5), (9, None)])
    assert ranges.take() == Range(3, 5)
    assert ranges.read(3, 5)
    assert ranges.take() == Range(9, None, None, 5)


def test_what_was_read_and_lost_keeps_its_end() -> None:
    ranges = Ranges([(0, None)])
    ranges.take()
    ranges.read(0, 4)
    ranges.lost(0)
    assert ranges.take() == Range(0, 4)
    assert not ranges.read(0, 4), "that it ends there was known"
    ranges.lost(0)
    assert ranges.take() == Range(0, 4), "it may be lost again"


def test_what_was_lost_before_it_was_read_is_given_out_as_it_was() -> None:
    ranges = Ranges([(0, 9)])
    assert ranges.take() == Range(0, 9)
    ranges.lost(0)
    assert ranges.take() == Range(0, 9)


def test_a_range_says_where_to_begin_and_what_is_reported_also_when_it_is_given_out_again() -> None:
    ranges, mark = Ranges([(0, None)]), Mark(90, Bookmark(0, 700, 90, 700, ()))
    ranges.take()
    ranges.read(0, 100, mark)
    assert ranges.take() == Range(100, None, mark, 100)
    ranges.read(100, 120)
    assert ranges.take() == Range(120, None, mark, 120), "an earlier mark serves as well"
    ranges.lost(100)
    assert ranges.take() == Range(100, 120, mark, 100)


def test_a_shard_that_two_make_is_made_once() -> None:
    ranges = Ranges([(0, 5)])
    ranges.take()
    assert ranges.to_make(0) is None and not ranges.is_given_out, "nobody has read it yet"
    ranges.read(0, 5)
    assert ranges.to_make(0) == Range(0, 5) and ranges.is_given_out
    assert ranges.made(0) and not ranges.made(0)
    assert ranges.to_make(0) is None and ranges.is_done


@given(st.integers(0, 60), st.integers(1, 9), st.data())
def test_every_sentence_is_embedded_once_in_the_same_shards_whoever_is_lost(
    num_sentences: int, size: int, data: st.DataObject
) -> None:
    gaps = list(data.draw(st.sampled_from([_whole(), _holes(num_sentences)])))
    ranges, at, made = Ranges(gaps), [], []
    for _ in range(1000):
        if ranges.is_done:
            break
        if range_ := ranges.take():
            at.append((range_.start, range_.stop))
        if not at:
            continue
        start, stop = data.draw(st.sampled_from(at))
        match data.draw(st.sampled_from(["read", "read", "make", "lose"])):
            case "read" if start >= num_sentences and stop is None:
                at.remove((start, stop))
                ranges.over(start)
            case "read":
                ranges.read(start, min(start + size, num_sentences if stop is None else stop))
            case "make" if start in ranges._read:
                at.remove((start, stop))
                made.append((start, ranges._read[start].stop))
                ranges.made(start)
            case "lose":
                at.remove((start, stop))
                ranges.lost(start)
    while not ranges.is_done:  # chance has done enough
        if range_ := ranges.take():
            at.append((range_.start, range_.stop))
        start, stop = at.pop()
        if start >= num_sentences and stop is None:
            ranges.over(start)
            continue
        ranges.read(start, min(start + size, num_sentences if stop is None else stop))
        made.append((start, ranges._read[start].stop))
        ranges.made(start)
    assert sorted(made) == list(_shards(gaps, num_sentences, size))


def _whole() -> Iterator[tuple[int, int | None]]:
    yield 0, None


def _holes(num_sentences: int) -> Iterator[tuple[int, int | None]]:
    if num_sentences > 10:
        yield 2, 7
    yield num_sentences, None


def _shards(gaps: list[tuple[int, int | None]], num_sentences: int, size: int) -> Iterator[tuple[int, int]]:
    for start, stop in gaps:
        end = num_sentences if stop is None else stop
        yield from pairwise([*range(start, end, size), end] if start < end else [])
