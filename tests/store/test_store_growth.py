"""A finished store to which sentences are added: what it was stays valid until the grown one is in its place."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import VIEWS, Sample, fixed_sample, identity_of, samples

from embedpipe.errors import DamagedStoreError, StoreError
from embedpipe.store import Finding, StorePlace, StoreWriter, durable, open_store, verify

SAMPLE = fixed_sample(20)
SIZE = 4
STOPS = {"from shards": (10, 20), "from one file": (3, 20), "twice": (6, 13, 20)}


def folder(path: Path) -> Path:
    return path.with_name(f"{path.name}.shards")


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}


def content(path: Path) -> Any:
    with open_store(path) as store:
        sentences = [(s.id, s.document, s.text, s.spans, s.flags, s.word_flags, s.subword_ids, s.space_after) for s in store]
        labels = [{name: value for name, value in sentence.labels.items() if value is not None} for sentence in store]
        return sentences, labels, {name: np.asarray(store.matrix(name)).tobytes() for name in VIEWS}


def manifest_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder(path) / "manifest.jsonl").read_text().splitlines()]


def findings(path: Path) -> list[Finding]:
    """What verify finds but for the rows: the sample's flags are random, and so are its vectors."""
    rows = ("provenance", "flags", "vectors", "subwords", "spans")
    return [finding for finding in verify(path) if finding.what.split(":")[0] not in rows]


def messages(path: Path) -> list[str]:
    return [str(finding) for finding in findings(path)]


def write_partly(path: Path, stops: tuple[int, ...], run: int, num_shards: int) -> None:
    """Add some shards, and leave it at that."""
    with StoreWriter(path, VIEWS, identity=identity_of(run), grows_from=identity_of(run - 1)) as writer:
        ((start, _),) = writer.gaps()
        for first in range(start, start + SIZE * num_shards, SIZE):
            writer.append(SAMPLE.block(first, min(first + SIZE, stops[run])), first)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.h5"


@pytest.mark.parametrize("stops", STOPS.values(), ids=STOPS)
def test_grown_store_holds_what_one_made_at_once_does(path: Path, tmp_path: Path, stops: tuple[int, ...]) -> None:
    SAMPLE.grow(path, stops, size=SIZE)
    assert content(path) == content(SAMPLE.write(tmp_path / "once.h5", size=SIZE))
    assert messages(path) == []


@given(samples(), st.data())
@settings(max_examples=15, deadline=None)
def test_any_store_can_grow_at_any_place(sample: Sample, data: st.DataObject) -> None:
    stops = [*sorted(data.draw(st.lists(st.integers(0, len(sample.sentences)), max_size=3))), len(sample.sentences)]
    single_file = data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as name:
        path = sample.grow(Path(name, "s.h5"), stops, size=data.draw(st.integers(1, 10)), single_file=single_file)
        assert content(path) == content(sample.write(Path(name, "once.h5")))
        assert messages(path) == []


@given(samples().filter(lambda sample: sample.sentences))
@settings(max_examples=15, deadline=None)
def test_first_shard_is_the_one_that_a_store_without_a_single_file_has(sample: Sample) -> None:
    with tempfile.TemporaryDirectory() as name:
        number = len(sample.sentences)
        paths = [Path(name, kind, "s.h5") for kind in ("one", "many")]
        for path, single_file in zip(paths, (True, False), strict=True):
            sample.grow(path, (number,), single_file=single_file)
        assert not folder(paths[0]).exists()
        sample.grow_once(paths[0], (number, number), 1)
        first = [folder(path) / "000000.h5" for path in paths]
        assert first[0].read_bytes() == first[1].read_bytes()


def test_failures_of_the_old_part_stay_in_its_shard_and_in_the_store(path: Path, tmp_path: Path) -> None:
    block = replace(SAMPLE.block(0, 3), failures={"doc-0/1": "too hot"})
    for place, single_file in ((path, True), (tmp_path / "b" / "s.h5", False)):
        with StoreWriter(place, VIEWS, identity=identity_of(0), single_file=single_file) as writer:
            writer.append(block, 0)
            writer.finish({"failures": writer.failures})
    with StoreWriter(path, VIEWS, identity=identity_of(1), grows_from=identity_of(0)) as writer:
        writer.append(replace(SAMPLE.block(3, 6), failures={"doc-1/1": "not a number"}), 3)
        assert writer.failures == {"doc-0/1": "too hot", "doc-1/1": "not a number"}
        writer.finish({"failures": writer.failures})
    assert (folder(path) / "000000.h5").read_bytes() == (tmp_path / "b" / "s.h5.shards" / "000000.h5").read_bytes()


def test_old_shards_are_not_touched_and_the_old_store_is_read_until_the_new_one_is_there(path: Path) -> None:
    SAMPLE.grow(path, (10,), size=SIZE)
    before = {name: (path.parent / name).stat().st_mtime_ns for name in tree(path) if name.endswith("0.h5")}
    old = content(path)
    with open_store(path) as reader:
        with StoreWriter(path, VIEWS, identity=identity_of(1), grows_from=identity_of(0)) as writer:
            assert writer.gaps() == [(10, None)]
            writer.append(SAMPLE.block(10, 20), 10)
            assert content(path) == old and messages(path) == []
            writer.finish({})
            assert [record.name for record in writer.shards][3:] == ["000003.h5"]
        assert len(reader[:]) == 10, "one that has it open goes on with the old one"
    assert {name: (path.parent / name).stat().st_mtime_ns for name in before} == before
    with open_store(path) as store:
        assert len(store) == 20


def test_nothing_is_written_before_the_first_new_shard(path: Path) -> None:
    for stops in ((10,), (3,)):
        SAMPLE.grow(path, stops, size=SIZE, restart=path.exists())
        before = tree(path)
        with StoreWriter(path, VIEWS, identity=identity_of(1), grows_from=identity_of(0)) as writer:
            assert writer.gaps() == [(stops[0], None)]
            assert {name: data for name, data in tree(path).items() if not name.endswith("lock")} == before
        assert tree(path) == before


def test_shards_say_what_they_were_made_of_and_the_master_knows_it(path: Path) -> None:
    SAMPLE.grow(path, (6, 13, 20), size=SIZE)
    with open_store(path) as store:
        found = []
        for record in store.shards:
            with h5py.File(folder(path) / record.name) as file:
                found.append((record.start, record.stop, json.loads(file["provenance"][()].tobytes())["identity"]))
    runs = [identity_of(number) for number in (0, 0, 1, 1, 2, 2)]
    assert found == [
        (*bounds, run) for bounds, run in zip([(0, 4), (4, 6), (6, 10), (10, 13), (13, 17), (17, 20)], runs, strict=True)
    ]
    header = manifest_lines(path)[0]
    assert header["identity"] == identity_of(2)
    assert header["grown_from"] == [
        {"num_sentences": 6, "identity": identity_of(0)},
        {"num_sentences": 13, "identity": identity_of(1)},
    ]
    with h5py.File(path) as file:
        table = json.loads(file["shards"][()].tobytes())
    assert {key: table[key] for key in ("identity", "grown_from")} == {key: header[key] for key in ("identity", "grown_from")}


def change_table(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with h5py.File(path, "r+") as file:
        table = json.loads(file["shards"][()].tobytes())
        change(table)
        del file["shards"]
        file["shards"] = np.frombuffer(json.dumps(table).encode(), np.uint8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table["grown_from"].clear(), "000000.h5 is that of another store: it was made of something else"),
        (lambda table: table["grown_from"][0].update(identity={}), "000000.h5 is that of another store"),
        (lambda table: table.update(identity=identity_of(0)), "000002.h5 is that of another store"),
        (lambda table: table["grown_from"][0].update(num_sentences=10), "000002.h5 is that of another store"),
        (lambda table: table["grown_from"][0].update(num_sentences=7), "has grown at sentence 7, where no shard ends"),
        (lambda table: table["grown_from"][0].update(num_sentences=-1), "has -1 sentences, expected 0 at least"),
        (lambda table: table["grown_from"][0].update(num_sentences=True), "has True sentences"),
        (lambda table: table["grown_from"].append(3), "a part of 'grown_from' has no identity"),
        (lambda table: table["grown_from"].append({**table["grown_from"][0], "num_sentences": 4}), "expected 6 at least"),
        (lambda table: table.update(grown_from={}), "no identity, or one that cannot be read"),
    ],
)
def test_shard_of_another_identity_than_that_of_its_part_is_refused(
    path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    SAMPLE.grow(path, (6, 20), size=SIZE)
    change_table(path, change)
    with pytest.raises(DamagedStoreError, match=message), open_store(path) as store:
        store.matrix("last")[:]
    assert any("is damaged" in text or "something else" in text for text in map(str, verify(path)))


def forget_lock(self: Any, lock: Any) -> None:
    os.close(lock._descriptor)


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it is done."""


@pytest.mark.parametrize("stops", [(6, 9), (3, 8)], ids=["from shards", "from one file"])
def test_growth_killed_at_any_commit_point_goes_on_to_the_same_bytes(tmp_path: Path, stops: tuple[int, ...]) -> None:
    last = len(stops) - 1
    base = SAMPLE.grow(tmp_path / "base" / "s.h5", stops[:-1], size=SIZE)
    old, whole = content(base), tree(SAMPLE.grow(tmp_path / "whole" / "s.h5", stops, size=SIZE))
    reached: list[str] = []
    shutil.copytree(base.parent, tmp_path / "count")
    with patch.object(durable, "commit_point", reached.append):
        SAMPLE.grow_once(tmp_path / "count" / "s.h5", stops, last, size=SIZE)
    assert set(reached) == set(durable.COMMIT_POINTS)
    for number in sorted({name: number for number, name in reversed(list(enumerate(reached)))}.values()):
        path = Path(shutil.copytree(base.parent, tmp_path / str(number))) / "s.h5"
        seen: list[str] = []

        def kill(name: str, seen: list[str] = seen, number: int = number) -> None:
            if len(seen) >= number:
                raise Killed
            seen.append(name)

        with patch.object(durable, "commit_point", kill), patch("embedpipe.store.place.StorePlace._leave", forget_lock):
            with pytest.raises(Killed):
                SAMPLE.grow_once(path, stops, last, size=SIZE)
        is_grown = "after rename: store" in (*seen, reached[number])
        if not is_grown:
            assert content(path) == old, f"killed {reached[number]}"
            has_begun = "after rename: manifest" in (*seen, reached[number])
            kinds = {finding.what.split(":")[0].split(",")[0] for finding in findings(path)}
            expected = {"a growth is unfinished", "manifest"} if has_begun else {"strays", "it belongs to nothing"}
            assert kinds <= expected, f"killed {reached[number]}"
        StorePlace(path).clear_up()
        assert is_grown or content(path) == old
        if not is_grown:
            SAMPLE.grow_once(path, stops, last, size=SIZE)
        assert tree(path) == whole, f"killed {reached[number]}"


def test_unfinished_growth_is_no_damage_and_says_how_to_go_on(path: Path) -> None:
    for stops, shards in (((10, 20), 4), ((3, 20), 2)):
        SAMPLE.grow(path, stops[:1], size=SIZE, restart=path.exists())
        write_partly(path, stops, 1, 1)
        (finding,) = findings(path)
        assert (
            finding.what == "a growth is unfinished: 4 new sentences in 1 shard are committed; the store is what it was before"
        )
        assert finding.hint == "run the same extract command with --append again: it goes on from there"
        assert len(manifest_lines(path)) == 1 + shards


def test_damage_of_an_unfinished_growth_is_found_and_mended(path: Path, tmp_path: Path) -> None:
    whole = tree(SAMPLE.grow(tmp_path / "whole" / "s.h5", (3, 20), size=SIZE))
    path = tmp_path / "broken" / "s.h5"
    SAMPLE.grow(path, (3,), size=SIZE)
    write_partly(path, (3, 20), 1, 2)
    os.truncate(folder(path) / "000000.h5", 3000)
    os.truncate(folder(path) / "000002.h5", 3000)
    assert [text for text in messages(path) if text.startswith("shard ") and "3,000 bytes" in text]
    SAMPLE.grow_once(path, (3, 20), 1, size=SIZE)
    assert tree(path) == whole


def test_growth_to_another_corpus_is_started_over_from_the_finished_store(path: Path, tmp_path: Path) -> None:
    for stops in ((10, 20), (3, 20)):
        SAMPLE.grow(path, stops[:1], size=SIZE, restart=path.exists())
        write_partly(path, stops, 1, 2)
        other = fixed_sample(16)
        with StoreWriter(path, VIEWS, identity=identity_of(7), grows_from=identity_of(0)) as writer:
            assert writer.gaps() == [(stops[0], None)]
            assert manifest_lines(path)[0]["identity"] == identity_of(1), "the other growth is there until this one begins"
            writer.append(other.block(stops[0], 16), stops[0])
            assert manifest_lines(path)[0]["identity"] == identity_of(7)
            writer.finish({"fingerprint": identity_of(7)["fingerprint"]})
        with open_store(path) as store:
            assert len(store) == 16 and {file.name for file in folder(path).glob("*.h5")} == {s.name for s in store.shards}
        assert messages(path) == []


@pytest.mark.parametrize("stops", [(10, 20), (3, 20)])
def test_nothing_that_the_finished_store_needs_is_ever_cleared_away(path: Path, stops: tuple[int, ...]) -> None:
    SAMPLE.grow(path, stops[:1], size=SIZE)
    old = content(path)
    write_partly(path, stops, 1, 1)
    committed = tree(path)
    manifest = folder(path) / "manifest.jsonl"
    for lines in (manifest.read_bytes(), b"not a manifest\n", manifest.read_bytes().split(b"\n")[0] + b"\n", None):
        folder(path).mkdir(exist_ok=True)
        manifest.unlink(missing_ok=True) if lines is None else manifest.write_bytes(lines)
        (folder(path) / "lock").touch()
        StorePlace(path).clear_up()
        assert content(path) == old
        if lines == committed["s.h5.shards/manifest.jsonl"]:
            assert tree(path) == committed


def test_store_grows_without_a_manifest_too(path: Path, tmp_path: Path) -> None:
    whole = tree(SAMPLE.grow(tmp_path / "whole" / "s.h5", (10, 20), size=SIZE))
    path = SAMPLE.grow(tmp_path / "part" / "s.h5", (10,), size=SIZE)
    (folder(path) / "manifest.jsonl").unlink()
    SAMPLE.grow_once(path, (10, 20), 1, size=SIZE)
    assert tree(path) == whole


def test_grown_store_is_repaired_by_removing_its_master_and_going_on(path: Path) -> None:
    stops = (6, 13, 20)
    whole = tree(SAMPLE.grow(path, stops, size=SIZE))
    for numbers, gaps in (((1, 2), [(4, 6), (6, 10)]), ((3, 4), [(10, 13), (13, 17)]), ((0, 4), [(0, 4), (13, 17)])):
        path.unlink()
        for number in numbers:
            os.truncate(folder(path) / f"00000{number}.h5", 100)
        with StoreWriter(path, VIEWS, identity=identity_of(2)) as writer:
            assert writer.gaps() == [*gaps, (20, None)]
            for start, stop in gaps:
                writer.append(SAMPLE.block(start, stop), start)
            writer.finish({**identity_of(2), "run": 2})
        assert tree(path) == whole


def test_block_across_a_place_of_growth_is_refused(path: Path) -> None:
    SAMPLE.grow(path, (6, 20), size=3)
    path.unlink()
    for number in (1, 2):
        (folder(path) / f"00000{number}.h5").unlink()
    with StoreWriter(path, VIEWS, identity=identity_of(1)) as writer:
        assert writer.gaps() == [(3, 6), (6, 9), (20, None)]
        with pytest.raises(StoreError, match="the sentences 3 to 9 some are committed already"):
            writer.append(SAMPLE.block(3, 9), 3)


@pytest.mark.parametrize("stop", [10, 3])
def test_ids_and_labels_of_the_old_part_count(path: Path, stop: int) -> None:
    SAMPLE.grow(path, (stop,), size=SIZE)
    with StoreWriter(path, VIEWS, identity=identity_of(1), grows_from=identity_of(0)) as writer:
        block = SAMPLE.block(stop, stop + 2)
        twice = replace(block, sentences=(replace(block.sentences[0], id="doc-0/1"), block.sentences[1]))
        with pytest.raises(StoreError, match=r"its id 'doc-0/1' is already that of sentence 1 \(counted from 0\)"):
            writer.append(twice, stop)
        other = replace(block, sentences=(replace(block.sentences[0], labels={"ner": "LOC"}), block.sentences[1]))
        with pytest.raises(StoreError, match=r"label 'ner' is one a (word|sentence) here and was one a (word|sentence) before"):
            writer.append(other, stop)
        assert (folder(path) / "000000.h5").exists() == (stop == 10), "what is refused leaves the store as it was"
        writer.append(block, stop)


def test_store_that_cannot_grow_is_refused(path: Path) -> None:
    SAMPLE.grow(path, (10,), size=SIZE)
    views = {**VIEWS, "last": replace(VIEWS["last"], layers=(2,))}
    with pytest.raises(StoreError, match=r"cannot add to the store .*: it has the views .* would be added"):
        StoreWriter(path, views, identity=identity_of(1), grows_from=identity_of(0)).__enter__()
    before = tree(path)
    (folder(path) / "000001.h5").unlink()
    with pytest.raises(StoreError, match=r"cannot add to the store .*000001.h5 is missing"):
        SAMPLE.grow_once(path, (10, 20), 1)
    path.unlink()
    with pytest.raises(StoreError, match="there is no such file"):
        SAMPLE.grow_once(path, (10, 20), 1)
    assert tree(path).keys() == before.keys() - {"s.h5", "s.h5.shards/000001.h5"}


def test_store_without_sentences_grows(path: Path) -> None:
    SAMPLE.grow(path, (0, 0, 20), size=SIZE)
    assert content(path) == content(SAMPLE.write(path.with_name("once.h5"), size=SIZE))
    assert messages(path) == []
