"""A run that did not finish, and the one that goes on from there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_samples import IDENTITY, VIEWS, fixed_sample

from embedpipe.errors import DamagedStoreError, FormatVersionError, StoreError
from embedpipe.store import StoreWriter, durable, open_store

SAMPLE = fixed_sample(20)
SIZE = 4
BLOCKS = list(SAMPLE.blocks(SIZE))


def write_some(path: Path, indexes: Any = range(5), **options: Any) -> None:
    with StoreWriter(path, VIEWS, identity=IDENTITY, **options) as writer:
        for index in indexes:
            writer.append(BLOCKS[index], SIZE * index)


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return tree(SAMPLE.write(tmp_path_factory.mktemp("whole") / "s.h5", size=SIZE))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.h5"


def shard(path: Path, number: int) -> Path:
    return path.with_name("s.h5.shards") / f"{number:06}.h5"


def manifest(path: Path) -> Path:
    return path.with_name("s.h5.shards") / "manifest.jsonl"


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 0xFF
    file.write_bytes(content)


def edit_lines(path: Path, change: Callable[[list[str]], Any]) -> None:
    lines = manifest(path).read_text(encoding="utf-8").splitlines(keepends=True)
    change(lines)
    manifest(path).write_text("".join(lines), encoding="utf-8")


FAULTS: dict[str, Callable[[Path], Any]] = {
    "nothing": lambda path: None,
    "a shard is missing": lambda path: shard(path, 1).unlink(),
    "two shards are missing": lambda path: (shard(path, 1).unlink(), shard(path, 2).unlink()),
    "the last shard is missing": lambda path: shard(path, 3).unlink(),
    "a shard is shorter": lambda path: os.truncate(shard(path, 0), 5000),
    "a byte of a shard is another": lambda path: flip(shard(path, 2), 7000),
    "a shard is a folder": lambda path: (shard(path, 2).unlink(), shard(path, 2).mkdir()),
    "a shard is a link": lambda path: (shard(path, 2).rename(path.with_name("x")), shard(path, 2).symlink_to("../x")),
    "the last line of the manifest is torn": lambda path: os.truncate(manifest(path), manifest(path).stat().st_size - 30),
    "the last line has no end": lambda path: os.truncate(manifest(path), manifest(path).stat().st_size - 1),
    "a line of the manifest is broken": lambda path: edit_lines(path, lambda lines: lines.__setitem__(2, "{not json\n")),
    "a line of the manifest is missing": lambda path: edit_lines(path, lambda lines: lines.pop(2)),
    "a line names another file": lambda path: edit_lines(
        path, lambda lines: lines.__setitem__(2, lines[2].replace("000001.h5", "../x.h5"))
    ),
    "a line is there twice": lambda path: edit_lines(path, lambda lines: lines.append(lines[2])),
    "lines are in another order": lambda path: edit_lines(path, lambda lines: lines.append(lines.pop(1))),
    "partial files are left": lambda path: [
        shard(path, 4).with_suffix(".h5.partial").touch(),
        manifest(path).with_suffix(".partial").touch(),
    ],
    "a shard was sealed and not committed": lambda path: shutil.copy(shard(path, 1), shard(path, 4)),
    "a lock is left": lambda path: manifest(path).with_name("lock").write_text("{}"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_run_that_goes_on_gives_the_bytes_of_one_that_was_never_interrupted(
    path: Path, fault: str, uninterrupted: dict[str, bytes]
) -> None:
    write_some(path, range(4))
    FAULTS[fault](path)
    if shard(path, 2).is_dir():
        shard(path, 2).rmdir()
    SAMPLE.write(path, size=SIZE)
    path.with_name("x").unlink(missing_ok=True)
    assert tree(path) == uninterrupted


def test_gaps_are_where_shards_are_missing(path: Path) -> None:
    with StoreWriter(path, VIEWS) as writer:
        assert writer.gaps() == [(0, None)] and writer.shards == ()
    write_some(path, range(4))
    shard(path, 0).unlink()
    flip(shard(path, 2), 7000)
    with StoreWriter(path, VIEWS, identity=IDENTITY) as writer:
        assert writer.gaps() == [(0, 4), (8, 12), (16, None)]
        assert [record.name for record in writer.shards] == ["000001.h5", "000003.h5"]
        assert writer.dropped == {"000000.h5": "it is missing", "000002.h5": "its sha256 is not that of the manifest"}
        with pytest.raises(StoreError, match="the sentences 0 to 4 are missing"):
            writer.finish({})
        for start in (4, 7, 2, 12):
            with pytest.raises(StoreError, match=f"of the sentences {start} to {start + 4} some are committed already"):
                writer.append(BLOCKS[0], start)
        writer.append(BLOCKS[2], 8)
        assert "000002.h5" in [shard.name for shard in writer.shards]
        writer.append(BLOCKS[0], 0)
        assert writer.shards[0].name == "000000.h5"
        assert writer.gaps() == [(16, None)]
    assert not shard(path, 2).with_suffix(".partial").exists()


def test_committed_shards_are_not_written_again(path: Path) -> None:
    write_some(path, range(3))
    before = {number: shard(path, number).stat() for number in range(3)}
    SAMPLE.write(path, size=SIZE)
    assert {number: shard(path, number).stat().st_mtime_ns for number in range(3)} == {
        number: stat.st_mtime_ns for number, stat in before.items()
    }


def test_shards_can_be_made_in_any_order(path: Path) -> None:
    with StoreWriter(path, VIEWS) as writer:
        for index in (3, 0, 4, 2, 1):
            writer.append(BLOCKS[index], SIZE * index)
        assert [record.start for record in writer.shards] == [0, 4, 8, 12, 16]
        writer.finish({})
    with open_store(path) as store:
        assert list(store.ids) == [sentence.id for sentence in SAMPLE.sentences]
        assert [store.provenance, [s.labels["ner"] for s in store]] == [{}, [s.labels["ner"] for s in SAMPLE.sentences]]


def test_damaged_store_is_repaired_by_removing_its_master_and_going_on(path: Path, uninterrupted: dict[str, bytes]) -> None:
    SAMPLE.write(path, size=SIZE)
    flip(shard(path, 3), 5000)
    path.unlink()
    SAMPLE.write(path, size=SIZE)
    assert tree(path) == uninterrupted


def test_what_differs_from_the_unfinished_run_is_named(path: Path) -> None:
    write_some(path, range(2))
    identity = {"config": {"model": "another", "extra": None}, "weights": "x" * 99}
    views = {**VIEWS, "last": replace(VIEWS["last"], layers=(2,))}
    del views["cls"]
    with pytest.raises(StoreError) as caught, StoreWriter(path, views, identity=identity):
        pass
    assert str(caught.value) == (
        f"cannot go on with the store {path}: 8 sentences are committed, and what they were made with has changed:\n"
        "  config.extra: absent then, null now\n"
        "  config.layers: [1, 2] then, absent now\n"
        '  config.model: "tiny" then, "another" now\n'
        '  stored views.cls.combination: "last" then, absent now\n'
        '  stored views.cls.dtype: "float32" then, absent now\n'
        "  stored views.cls.layers: [3] then, absent now\n"
        '  stored views.cls.pooling: "cls" then, absent now\n'
        "  stored views.cls.stacked: false then, absent now\n"
        '  stored views.cls.unit: "sentence" then, absent now\n'
        "  stored views.cls.vector_size: 4 then, absent now\n"
        "  stored views.last.layers: [3] then, [2] now\n"
        f'  weights: "ab12" then, "{"x" * 56}... now\n'
        "Change it back, give another path with --output, or start over with --restart."
    )
    with pytest.raises(StoreError, match=r"  views\.last: absent then, 1 now"):
        StoreWriter(path, VIEWS, identity={**IDENTITY, "views": {"last": 1}}).__enter__()
    with pytest.raises(StoreError, match="the order of the views"):
        StoreWriter(path, dict(reversed(VIEWS.items())), identity=IDENTITY).__enter__()
    write_some(path, range(2, 3))  # nothing was lost
    with StoreWriter(path, views, identity=identity, restart=True) as writer:
        assert writer.gaps() == [(0, None)]
    assert list(path.parent.iterdir()) == []


def test_run_that_had_committed_nothing_binds_nobody(path: Path) -> None:
    write_some(path, range(1))
    edit_lines(path, lambda lines: lines.pop())
    with StoreWriter(path, VIEWS, identity={"other": 1}) as writer:
        assert writer.gaps() == [(0, None)]


def test_manifest_that_cannot_be_read_is_no_reason_to_remove_shards(path: Path) -> None:
    write_some(path, range(2))
    content = manifest(path).read_bytes()
    for broken, error, message in (
        (b"\xff" + content, DamagedStoreError, "its first line is not that of a manifest. Start over with --restart"),
        (content.replace(b'"format_version": 1', b'"format_version": 9'), FormatVersionError, "is of format version 9"),
        (None, StoreError, "has 2 shards and no manifest, so what made them is not known"),
    ):
        manifest(path).unlink() if broken is None else manifest(path).write_bytes(broken)
        with pytest.raises(error, match=message):
            write_some(path)
        assert shard(path, 0).exists() and shard(path, 1).exists() and not manifest(path).with_name("lock").exists()
    SAMPLE.write(path, size=SIZE, restart=True)


def test_restart_removes_only_what_embedpipe_made(path: Path) -> None:
    SAMPLE.write(path, size=SIZE)
    (path.with_name("s.h5.shards") / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"notes\.txt is not of embedpipe, and its folder would be removed. Move it away"):
        SAMPLE.write(path, restart=True)
    with open_store(path) as store:
        assert len(store[:]) == 20
    shutil.move(path.with_name("s.h5.shards") / "notes.txt", path.with_name("notes.txt"))
    SAMPLE.write(path, restart=True)
    assert sorted(file.name for file in path.parent.iterdir()) == ["notes.txt", "s.h5"]


def test_shards_folder_that_is_a_link_is_refused(path: Path) -> None:
    path.with_name("elsewhere").mkdir()
    path.with_name("s.h5.shards").symlink_to("elsewhere")
    with pytest.raises(StoreError, match="is a symbolic link; it must be a folder"):
        write_some(path)


def test_labels_of_one_name_and_two_units_are_refused_also_across_runs(path: Path) -> None:
    write_some(path, range(1))
    block = BLOCKS[1]
    sentences = (replace(block.sentences[0], labels={"ner": "LOC"}), *block.sentences[1:])
    with StoreWriter(path, VIEWS, identity=IDENTITY) as writer:
        with pytest.raises(StoreError, match=r"label 'ner' is one a (word|sentence) here and was one a (word|sentence) before"):
            writer.append(replace(block, sentences=sentences), 4)


def test_ids_are_unique_also_across_runs(path: Path) -> None:
    write_some(path, range(2))
    block = BLOCKS[2]
    sentences = (*block.sentences[:2], replace(block.sentences[2], id="doc-0/1"), *block.sentences[3:])
    with StoreWriter(path, VIEWS, identity=IDENTITY) as writer:
        with pytest.raises(StoreError, match=r"sentence 10: its id 'doc-0/1' is already that of sentence 1 \(counted from 0\)"):
            writer.append(replace(block, sentences=sentences), 8)
        writer.append(block, 8)


def test_why_sentences_have_no_vectors_is_kept_for_the_run_that_goes_on(path: Path) -> None:
    with StoreWriter(path, VIEWS, identity=IDENTITY) as writer:
        writer.append(replace(BLOCKS[0], failures={"doc-0/1": "not a number"}), 0)
        writer.append(replace(BLOCKS[1], failures={"doc-1/2": "too hot"}), 4)
        assert writer.failures == {"doc-0/1": "not a number", "doc-1/2": "too hot"}
    with StoreWriter(path, VIEWS, identity=IDENTITY) as writer:
        assert list(writer.failures.items()) == [("doc-0/1", "not a number"), ("doc-1/2", "too hot")]
    shard(path, 0).unlink()
    with StoreWriter(path, VIEWS, identity=IDENTITY) as writer:
        assert writer.failures == {"doc-1/2": "too hot"}
        writer.append(BLOCKS[0], 0)
        assert writer.failures == {"doc-1/2": "too hot"}


PRELUDE = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_store_resume as t
from embedpipe.store import StoreWriter, durable
path = Path(sys.argv[1])
"""


def python(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PRELUDE + code, *arguments], text=True, **options)


def test_second_writer_is_told_who_holds_the_store(path: Path) -> None:
    code = "with StoreWriter(path, t.VIEWS) as writer:\n    print('in', flush=True)\n    sys.stdin.read()\n    writer.append(t.BLOCKS[0], 0)"
    other = python(code, str(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == "in\n"
    for restart in (False, True):
        with pytest.raises(StoreError) as caught:
            write_some(path, restart=restart)
        assert f"{path}: process {other.pid} on " in str(caught.value)
        assert "is writing it. Wait for it to end, or give another path with --output." in str(caught.value)
    other.communicate()
    assert other.returncode == 0 and shard(path, 0).exists(), "the first writer was not disturbed"


def test_lock_dies_with_its_holder(path: Path) -> None:
    code = "with StoreWriter(path, t.VIEWS):\n    os.kill(os.getpid(), signal.SIGKILL)"
    process = python(code, str(path))
    assert process.wait(60) == -signal.SIGKILL
    assert (path.with_name("s.h5.shards") / "lock").exists()
    SAMPLE.write(path)
    assert [file.name for file in path.parent.iterdir()] == ["s.h5"]


class Killed(BaseException):
    """Stands for SIGKILL where a process of its own would take too long: nothing after it is done."""


@pytest.mark.parametrize("size", [SIZE, 99], ids=["shards", "one file"])
def test_run_killed_at_any_commit_point_goes_on_to_the_same_bytes(tmp_path: Path, size: int) -> None:
    sample = fixed_sample(8)
    whole = tree(sample.write(tmp_path / "whole" / "s.h5", size=size))
    reached: list[str] = []
    with patch.object(durable, "commit_point", reached.append):
        sample.write(tmp_path / "count" / "s.h5", size=size)
    assert set(reached) <= set(durable.COMMIT_POINTS)
    assert size != SIZE or set(reached) == set(durable.COMMIT_POINTS)
    for number in range(len(reached)):
        path = tmp_path / str(number) / "s.h5"
        seen: list[str] = []

        def kill(name: str, seen: list[str] = seen, number: int = number) -> None:
            if len(seen) >= number:
                raise Killed
            seen.append(name)

        with patch.object(durable, "commit_point", kill), patch("embedpipe.store.place.StorePlace._leave", forget_lock):
            with pytest.raises(Killed):
                sample.write(path, size=size)
        try:
            sample.write(path, size=size)
        except StoreError as error:  # it was killed when all was done
            assert "a store is already there" in str(error)
        assert tree(path) == whole, f"killed {reached[number]}"


def forget_lock(self: Any, lock: Any) -> None:
    os.close(lock._descriptor)


class StoreMachine(RuleBasedStateMachine):
    """Appends, leaves, damages and goes on in any order; what is committed and not damaged is always there."""

    @initialize(single_file=st.booleans())
    def start(self, single_file: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "s.h5")
        self.single_file = single_file
        self.committed: dict[int, int] = {}  # block: number of its shard
        self.writer: StoreWriter | None = None
        self.is_finished = False

    @precondition(lambda self: self.writer is None and not self.is_finished)
    @rule()
    def resume(self) -> None:
        self.writer = StoreWriter(self.path, VIEWS, identity=IDENTITY, single_file=self.single_file)
        self.writer.__enter__()

    @precondition(lambda self: self.writer is not None and len(self.committed) < len(BLOCKS))
    @rule(data=st.data())
    def append(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from([index for index in range(len(BLOCKS)) if index not in self.committed]))
        self.writer.append(BLOCKS[index], SIZE * index)
        [record] = [shard for shard in self.writer.shards if shard.start == SIZE * index]
        assert record.stop == SIZE * index + SIZE
        self.committed[index] = record.number

    @precondition(lambda self: self.writer is not None)
    @rule()
    def leave(self) -> None:
        self.writer.__exit__(None, None, None)
        self.writer = None

    @precondition(lambda self: self.writer is None and not self.is_finished and self.committed)
    @rule(data=st.data(), how=st.sampled_from(["remove", "cut", "flip", "line", "stray"]))
    def damage(self, data: st.DataObject, how: str) -> None:
        index = data.draw(st.sampled_from(sorted(self.committed)))
        file = shard(self.path, self.committed[index])
        if how == "stray":
            file.with_name("000077.h5").write_bytes(b"x")
            file.with_name("000078.h5.partial").write_bytes(b"x")
            return
        if how == "remove":
            file.unlink()
        elif how == "cut":
            os.truncate(file, data.draw(st.integers(0, file.stat().st_size - 1)))
        elif how == "flip":
            flip(file, data.draw(st.integers(0, file.stat().st_size - 1)))
        else:
            edit_lines(self.path, lambda lines: lines.remove(next(line for line in lines if f'"{file.name}"' in line)))
        del self.committed[index]

    @precondition(lambda self: self.writer is not None and sorted(self.committed) == list(range(len(self.committed))))
    @rule()
    def finish(self) -> None:
        self.writer.finish({"blocks": len(self.committed)})
        self.leave()
        self.is_finished = True

    @invariant()
    def gaps_are_what_is_not_committed(self) -> None:
        if getattr(self, "writer", None) is not None:
            missing = {
                i for a, b in self.writer.gaps() for i in range(a // SIZE, (len(BLOCKS) * SIZE if b is None else b) // SIZE)
            }
            assert missing == {*range(len(BLOCKS))} - {*self.committed}

    @precondition(lambda self: self.is_finished)
    @rule()
    def read(self) -> None:
        stop = SIZE * len(self.committed)
        with open_store(self.path) as store:
            assert [(s.id, s.text, s.document, s.labels["ner"]) for s in store] == [
                (s.id, s.text, s.document, s.labels["ner"]) for s in SAMPLE.sentences[:stop]
            ]
            for name, info in VIEWS.items():
                expected = SAMPLE.rows[name][SAMPLE.ranges(info.unit, 0, stop)]
                np.testing.assert_array_equal(store.matrix(name), expected)
            assert store.provenance == {"blocks": len(self.committed)}
            is_single = not self.committed or (self.single_file and len(self.committed) == 1)
            assert len(store.shards) == (0 if is_single else len(self.committed))
        left = {file.name for file in self.path.parent.rglob("*") if file.is_file()}
        assert left == {"s.h5", *({"manifest.jsonl", *(record.name for record in store.shards)} if store.shards else ())}

    def teardown(self) -> None:
        if getattr(self, "writer", None) is not None:
            self.leave()
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=25, stateful_step_count=16, deadline=None)
