"""A store of very many shards: what is done for each of them does not grow with their number."""

from __future__ import annotations

import json
import os
import pickle
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import IDENTITY, VIEWS, fixed_sample

from embedpipe.errors import StoreError
from embedpipe.store import CheckedBlock, MadeShard, StoreWriter, open_store, shard_files
from embedpipe.store import committed as committed_shards
from embedpipe.store.committed import CommittedShards, ShardNumbers
from embedpipe.store.entries import Entries
from embedpipe.store.id_index import GrowingIdIndex
from embedpipe.store.manifest import ShardRecord, read_manifest, shard_name, shards_folder
from embedpipe.store.sealed import SealedFile
from embedpipe.store.structure import check_structure

SIZE = 3
SAMPLE = fixed_sample(8 * SIZE)


def record_of(number: int, start: int, stop: int) -> ShardRecord:
    return ShardRecord(shard_name(number), start, stop, 0, 0, 0, 0, "")


def made_shard(writer: StoreWriter, start: int) -> MadeShard:
    return writer.maker.make(CheckedBlock.of(SAMPLE.block(start, start + SIZE), start, VIEWS))


@st.composite
def ranges(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Ranges that do not overlap, in any order."""
    ends = sorted(draw(st.sets(st.integers(0, 40), min_size=2, max_size=12)))
    chosen = [pair for pair in pairwise(ends) if draw(st.booleans())]
    return draw(st.permutations(chosen))


@settings(deadline=None)
@given(ranges(), st.integers(0, 40), st.integers(1, 9), st.lists(st.integers(0, 45), max_size=3))
def test_committed_shards_are_what_a_plain_list_says(
    taken: list[tuple[int, int]], start: int, length: int, borders: list[int]
) -> None:
    shards = CommittedShards()
    for number, (first, end) in enumerate(taken):
        assert shards.has_room(first, end) and not shards.has_name(shard_name(number))
        shards.add(record_of(number, first, end))
        assert not shards.has_room(first, end) and shards.has_name(shard_name(number))
    assert [(shard.start, shard.stop) for shard in shards] == sorted(taken) and len(shards) == len(taken)
    sentences = {sentence for first, end in taken for sentence in range(first, end)}
    assert shards.has_room(start, start + length) == sentences.isdisjoint(range(start, start + length))
    holding = shards.holding(start)
    assert (holding and (holding.start, holding.stop)) == next((pair for pair in taken if start in range(*pair)), None)
    gaps = shards.gaps(0, sorted(borders))
    ends = {end for _, end in taken} | {first for first, _ in taken} | {0, *borders}
    missing = [sentence for sentence in range(max(ends)) if sentence not in sentences]
    assert [sentence for first, end in gaps[:-1] for sentence in range(first, end or 0)] == missing
    assert gaps[-1] == (max((0, *borders, *(end for _, end in taken))), None)
    assert all(not first < border < (end or first) for first, end in gaps for border in borders)
    assert all(first in ends for first, _ in gaps)  # none is cut where nothing is


def plain_number(shards: list[ShardRecord], lost: dict[int, int], start: int) -> int:
    """The rule, without any thought of speed."""
    numbers = {shard.start: shard.number for shard in shards}
    before = [numbers[first] for first in sorted(numbers) if first < start]
    after = [numbers[first] for first in sorted(numbers) if first > start]
    number = lost.get(start, before[-1] + 1 if before else 0)
    is_free = number not in numbers.values() and (not after or number < after[0])
    return number if is_free else max(numbers.values()) + 1


@settings(deadline=None)
@given(ranges(), st.integers(0, 5), st.dictionaries(st.integers(0, 40), st.integers(0, 12), max_size=4))
def test_numbers_of_shards_are_those_that_a_plain_list_says(
    taken: list[tuple[int, int]], num_there: int, lost: dict[int, int]
) -> None:
    shards = [record_of(3 * index, *pair) for index, pair in enumerate(sorted(taken[:num_there]))]
    numbers = ShardNumbers(shards, lost)
    for start, stop in taken[num_there:]:
        expected = plain_number(shards, lost, start)
        assert numbers.give(start) == expected == numbers.give(start)
        shards.append(record_of(expected, start, stop))


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(0, 8 * SIZE, SIZE)))
def test_shards_committed_in_any_order_make_the_same_store(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    folder = tmp_path_factory.mktemp("order")
    expected = SAMPLE.write(folder / "a" / "s.h5", size=SIZE)
    with StoreWriter(folder / "b" / "s.h5", VIEWS, identity=IDENTITY) as writer:
        for start in sorted(order):
            writer.announce(start)
        for index, start in enumerate(order):
            writer.commit(made_shard(writer, start))
            done = sorted(order[: index + 1])
            assert [shard.start for shard in writer.shards] == done
            missing = {sentence for first, end in writer.gaps()[:-1] for sentence in range(first, end or 0)}
            assert missing == set(range(done[-1])) - {sentence for first in done for sentence in range(first, first + SIZE)}
        writer.finish({})
    for one in [expected, *shards_folder(expected).iterdir()]:
        assert one.read_bytes() == (folder / "b" / one.relative_to(folder / "a")).read_bytes()


def test_committing_a_shard_goes_over_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("all shards are gone through")

    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        with monkeypatch.context() as patch:
            writer.announce(0)
            patch.setattr(CommittedShards, "__iter__", refuse)
            patch.setattr(CommittedShards, "gaps", refuse)
            for start in range(0, 8 * SIZE, SIZE):
                writer.announce(start)
                writer.commit(made_shard(writer, start))
            for start in (0, SIZE):  # nor does a refusal
                with pytest.raises(StoreError, match="committed already"):
                    writer.commit(made_shard(writer, start))
        assert len(writer.shards) == 8


def test_a_manifest_is_read_with_work_in_proportion_to_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(record: ShardRecord) -> int:
        nonlocal calls
        calls += 1
        return record.start

    monkeypatch.setattr(committed_shards, "_START", counted)
    header = json.dumps({"format": "embedpipe-manifest", "format_version": 1, "identity": {}, "views": {}})
    work = {}
    for num_lines in (1_000, 50_000):
        records = [record_of(number, number, number + 1) for number in range(num_lines)]
        random.Random(0).shuffle(records)
        lines = [header, *(json.dumps(record.as_json) for record in records), json.dumps(records[0].as_json)]
        (tmp_path / "manifest.jsonl").write_text("".join(f"{line}\n" for line in lines))
        calls = 0
        manifest = read_manifest(tmp_path)
        work[num_lines] = calls
        assert manifest is not None and [shard.start for shard in manifest.shards] == list(range(num_lines))
    assert 0 < work[50_000] < 2 * 50 * work[1_000]  # twice: the logarithm


def test_where_everything_lies_in_a_shard_is_known_from_making_it(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        layouts = []
        for start in (0, SIZE):
            made = pickle.loads(pickle.dumps(made_shard(writer, start)))
            file = SealedFile(made.partial)
            for path in file.structure.own_datasets:
                place, found = made.layout.place(path), file.layout().place(path)
                assert (place.dtype, place.shape) == (found.dtype, found.shape)
                assert place.offset == found.offset or 0 in place.shape
            assert list(made.layout.labels.items()) == list(file.structure.labels.items())
            assert made.layout.has_pairs == file.structure.has_pairs
            file.close()
            layouts.append(made.layout)
        assert layouts[0]._kind is layouts[1]._kind  # what is the same in all shards is there once


def test_finishing_looks_into_no_shard_that_was_just_made_unless_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_into = []

    class Seen(SealedFile):
        def __init__(self, path: Path) -> None:
            looked_into.append(path.name)
            super().__init__(path)

    monkeypatch.setattr(shard_files, "SealedFile", Seen)
    for name, changed in (("same.h5", []), ("changed.h5", ["000001.h5"])):
        looked_into.clear()
        with StoreWriter(tmp_path / name, VIEWS) as writer:
            SAMPLE.append_missing(writer, SIZE)
            for shard in changed:
                os.utime(shards_folder(tmp_path / name) / shard, (0, 0))
            writer.finish({})
        assert looked_into == changed


def test_no_virtual_dataset_stays_open(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5", size=SIZE)
    with h5py.File(path) as file:
        entries = Entries(file)
        assert len(check_structure(entries).in_shards) == 7 + len(VIEWS)
        still_open = h5py.h5f.get_obj_ids(file.id, h5py.h5f.OBJ_DATASET)
        assert still_open and not any(h5py.Dataset(each).is_virtual for each in still_open)
    with open_store(path) as store:
        assert len(store[:]) == len(SAMPLE.sentences)


@settings(deadline=None)
@given(st.permutations(range(12)), st.lists(st.integers(0, 5), min_size=12, max_size=12), st.integers(1, 4))
def test_ids_are_told_apart_though_their_hashes_are_the_same(order: list[int], hashes: list[int], size: int) -> None:
    ids = [f"s{number}" for number in range(12)]
    index = GrowingIdIndex(ids.__getitem__)
    all_hashes = np.array(hashes, "<u8")
    starts = [number for number in order if number % size == 0]
    for start in starts:
        part = slice(start, start + size)
        index.check(ids[part], all_hashes[part], start)
        index.add(all_hashes[part], start)
    for number in range(12):
        with pytest.raises(
            StoreError, match=f"cannot store sentence 12: its id 's{number}' is already that of sentence {number} "
        ):
            index.check([ids[number]], all_hashes[number : number + 1], 12)
    found, numbers = index.sorted()
    expected = np.lexsort((np.arange(12), all_hashes))
    assert (numbers == expected).all() and (found == all_hashes[expected]).all()
