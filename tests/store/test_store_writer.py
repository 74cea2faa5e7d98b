from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from store_samples import VIEWS, Sample, fixed_sample, make_sample

from embedpipe.dataflow import Block, Sentence
from embedpipe.errors import NonFiniteError, StoreError
from embedpipe.store import StoreSettings, StoreWriter, open_store
from embedpipe.store.manifest import shards_folder

SAMPLE = fixed_sample()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def one_block(sample: Sample = SAMPLE) -> Block:
    return next(sample.blocks(len(sample.sentences)))


def with_view(name: str, row: int, value: float) -> Block:
    rows = SAMPLE.rows[name].astype(np.float32)
    rows[row] = value
    return replace(one_block(), views={**SAMPLE.rows, name: rows})


def tree(path: Path) -> dict[str, bytes]:
    """Every file of a store."""
    return {
        str(file.relative_to(path.parent)): file.read_bytes()
        for file in [path, *shards_folder(path).rglob("*")]
        if file.is_file()
    }


@pytest.mark.parametrize("size", [4, 99])
def test_same_blocks_give_the_same_bytes(tmp_path: Path, size: int) -> None:
    (tmp_path / "b").mkdir()
    first = tree(SAMPLE.write(tmp_path / "s.h5", size=size, provenance={"x": 1}))
    time.sleep(1.1)  # HDF5 would count seconds
    assert tree(SAMPLE.write(tmp_path / "b" / "s.h5", size=size, provenance={"x": 1})) == first


def test_small_store_is_small(tmp_path: Path) -> None:
    assert SAMPLE.write(tmp_path / "s.h5").stat().st_size < 20_000


def test_nothing_is_at_the_path_before_the_store_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "s.h5"
    with StoreWriter(path, VIEWS) as writer:
        writer.append(one_block(), 0)
        assert not path.exists()
        assert writer.finish({}) == path
        assert path.exists()
    assert files(path.parent) == ["s.h5"]


def test_one_shard_is_one_file_unless_that_is_not_wanted(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5", single_file=False)
    assert files(tmp_path) == ["s.h5", "s.h5.shards"] and files(tmp_path / "s.h5.shards") == ["000000.h5", "manifest.jsonl"]
    with open_store(path) as store:
        assert [shard.name for shard in store.shards] == ["000000.h5"] and len(store[:]) == 12
        assert store.size_bytes == sum(len(data) for name, data in tree(path).items() if name.endswith("h5"))
    SAMPLE.write(path, restart=True)
    assert files(tmp_path) == ["s.h5"]
    with open_store(path) as store:
        assert store.shards == () and store.size_bytes == path.stat().st_size


def test_store_without_sentences_is_one_file(tmp_path: Path) -> None:
    fixed_sample(0).write(tmp_path / "s.h5", single_file=False)
    assert files(tmp_path) == ["s.h5"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, None])
def test_what_is_committed_is_kept_when_the_writer_does_not_finish(tmp_path: Path, fault: type[BaseException] | None) -> None:
    def leave(num_blocks: int) -> None:
        with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
            for index, block in enumerate([*SAMPLE.blocks(4)][:num_blocks]):
                writer.append(block, 4 * index)
            (tmp_path / "s.h5.shards" / "000009.h5.partial").touch()
            if fault:
                raise fault

    for num_blocks, left in ((0, []), (2, ["000000.h5", "000001.h5", "manifest.jsonl"])):
        if fault:
            with pytest.raises(fault):
                leave(num_blocks)
        else:
            leave(num_blocks)
        assert files(tmp_path) == (["s.h5.shards"] if left else [])
        assert not left or files(tmp_path / "s.h5.shards") == left


def test_store_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    before = sha256(path)
    with pytest.raises(StoreError, match=r"a store is already there.*--restart"):
        SAMPLE.write(path)
    assert sha256(path) == before
    with open_store(path) as opened:
        fixed_sample(3).write(path, restart=True)
        assert len(opened) == len(opened[:]) == 12  # the reader keeps the file that it opened
        assert opened["doc-0/1"].index == 1
    with open_store(path) as store:
        assert len(store) == 3


def test_file_that_is_no_store_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("Chapter 1\n")
    for restart in (False, True):
        with pytest.raises(StoreError, match="a text file is already there, and only an embedpipe store is ever replaced"):
            SAMPLE.write(path, restart=restart)
    assert path.read_text() == "Chapter 1\n" and files(tmp_path) == ["thesis.txt"]


def test_file_that_comes_while_the_store_is_written_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="only an embedpipe store is ever replaced"):
        with StoreWriter(tmp_path / "s.h5", VIEWS, restart=True) as writer:
            (tmp_path / "s.h5").write_text("mine")
            writer.finish({})
    assert (tmp_path / "s.h5").read_text() == "mine" and files(tmp_path) == ["s.h5"]


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "s.h5").symlink_to(tmp_path / "disk" / "big.h5")
    SAMPLE.write(tmp_path / "s.h5")
    assert files(tmp_path / "disk") == ["big.h5"] and (tmp_path / "s.h5").is_symlink()


def test_path_that_cannot_be_written_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="it is a folder"):
        SAMPLE.write(tmp_path)
    with pytest.raises(StoreError, match=r"a part of the folder .* is a file"):
        SAMPLE.write(tmp_path / "file" / "s.h5")
    with pytest.raises(StoreError, match="File name too long"):
        SAMPLE.write(tmp_path / ("x" * 252))
    monkeypatch.setattr(Path, "mkdir", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(StoreError, match=r"the folder .* is not writable for you"):
        SAMPLE.write(tmp_path / "s.h5")


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from store_samples import VIEWS, fixed_sample
from embedpipe.errors import StoreError
from embedpipe.store import StoreWriter
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    fixed_sample(400).write(Path({path!r}), size=100)
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize(("limit", "left"), [(2_000, []), (48_000, ["s.h5.shards"])])
def test_write_that_the_system_refuses_is_an_error_and_what_is_committed_stays(
    tmp_path: Path, limit: int, left: list[str]
) -> None:
    """The shards have 41,000 bytes, the master 55,000."""
    pytest.importorskip("resource")
    path = tmp_path / "s.h5"
    code = FULL.format(folder=str(Path(__file__).parent), path=str(path), limit=limit)
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.startswith(
        f"cannot write the store {path}: a file would be larger than the system allows (see ulimit -f)"
    )
    assert (run.returncode, run.stderr, files(tmp_path)) == (0, "", left)
    fixed_sample(400).write(path, size=100)
    with open_store(path) as store:
        assert len(store) == 400


def test_full_disk_is_called_a_full_disk(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(StoreError) as caught:
            patch.setattr(os, "write", Mock(side_effect=OSError(28, "No space left on device")))
            writer.append(one_block(), 0)
        with pytest.raises(StoreError, match="a write has failed"):
            writer.append(one_block(), 0)
    assert "the disk is full (" in str(caught.value) and str(tmp_path) in str(caught.value)
    assert "What was committed is kept: free some space and run the same command again" in str(caught.value)
    assert files(tmp_path) == []


def test_interrupt_in_the_middle_of_a_write_is_an_interrupt(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "write", Mock(side_effect=KeyboardInterrupt))
        SAMPLE.write(tmp_path / "s.h5")
    assert files(tmp_path) == []


def test_id_that_comes_twice_is_named_with_both_places(tmp_path: Path) -> None:
    sentences = [Sentence.from_words(f"s{index}", "d", ["a"]) for index in range(40)]
    for earlier, later, size in ((3, 4, 10), (3, 4, 1), (0, 39, 7)):
        broken = list(sentences)
        broken[later] = replace(broken[later], id=f"s{earlier}")
        expected = f"sentence {later}: its id 's{earlier}' is already that of sentence {earlier} "
        with pytest.raises(StoreError, match=expected):
            make_sample(broken).write(tmp_path / "s.h5", size=size, restart=True)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (with_view("last", 0, np.nan), r"view 'last' of sentence 'doc-0/1', word 0 \('in'\): the vector is not finite"),
        (with_view("half/all", 5, 7e4), r"view 'half/all' of sentence 'doc-1/0', word 2 .*: 70000 does not fit into float16"),
        (with_view("cls", 11, np.inf), "view 'cls' of sentence 'doc-3/2': the vector is not finite"),
    ],
)
def test_vector_that_the_store_cannot_hold_is_named(tmp_path: Path, block: Block, message: str) -> None:
    with pytest.raises(NonFiniteError, match=message), StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        writer.append(block, 0)


def relabelled(**labels: Any) -> Block:
    block = one_block()
    sentence = replace(block.sentences[2], labels=labels)
    return replace(block, sentences=(*block.sentences[:2], sentence, *block.sentences[3:]))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (replace(one_block(), word_flags=np.zeros(3, int)), r"word_flags has shape \(3,\), expected \(21,\)"),
        (replace(one_block(), num_subwords=np.zeros(12, int)), "subword_ids has shape"),
        (replace(one_block(), sentence_flags=np.full(12, 1 << 16)), "sentence flags go from 65536 to 65536, beyond 65535"),
        (replace(one_block(), views={}), r"it has the views \[\], the store \['\.\.', 'cls'"),
        (
            replace(one_block(), views={**SAMPLE.rows, "cls": np.zeros((12, 3), np.float32)}),
            r"'cls' has shape \(12, 3\), expected",
        ),
        (replace(one_block(), views={**SAMPLE.rows, "cls": np.zeros((12, 4), np.int64)}), "'cls' has dtype int64"),
        (relabelled(ner=("O",)), r"sentence 'doc-0/2': its label 'ner' has 1 values for 2 words"),
        (relabelled(ner="O"), "its label 'ner' is one a sentence here and was one a word before"),
        (relabelled(**{"": "x"}), "has an empty name"),
        (
            replace(one_block(), sentences=(Sentence.from_text("raw", "d", "a b"), *SAMPLE.sentences[1:])),
            "sentence 'raw': its words are not known",
        ),
    ],
)
def test_block_whose_parts_do_not_agree_is_refused(tmp_path: Path, block: Block, message: str) -> None:
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        with pytest.raises(StoreError, match=message):
            writer.append(block, 0)
        assert writer.gaps() == [(0, None)]
        writer.append(one_block(), 0)  # a block that was refused has left nothing
        writer.finish({})
    assert files(tmp_path) == ["s.h5"]


def test_provenance_that_is_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="its provenance is not JSON"):
        SAMPLE.write(tmp_path / "s.h5", provenance={"x": object()})


def test_writer_is_used_in_its_with_only(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "s.h5", VIEWS)
    with pytest.raises(StoreError, match="not open for writing"):
        writer.append(one_block(), 0)
    with writer:
        writer.finish({})
        with pytest.raises(StoreError, match="not open for writing"):
            writer.append(one_block(), 0)


def test_block_may_be_reused_for_the_next_one(tmp_path: Path) -> None:
    block = one_block()
    views = {name: rows.copy() for name, rows in block.views.items()}
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        writer.append(replace(block, views=views), 0)
        for rows in views.values():
            rows[:] = 0
        writer.finish({})
    with open_store(tmp_path / "s.h5") as store:
        np.testing.assert_array_equal(store.matrix("last"), SAMPLE.rows["last"])


@pytest.mark.parametrize(
    ("size", "num_bytes"),
    [("256 MiB", 1 << 28), ("1GiB", 1 << 30), ("64 MB", 64_000_000), ("1.5 kib", 1536), (4096, 4096), ("7", 7), ("2 B", 2)],
)
def test_shard_size_is_a_number_of_bytes(size: str | int, num_bytes: int) -> None:
    assert StoreSettings(shard_size=size).shard_size_bytes == num_bytes


@pytest.mark.parametrize("size", ["", "MiB", "-1", "0", 0, -5, "12 parsecs", "1e6", "256 MiB each", True, "0.1 B"])
def test_what_is_no_size_is_refused(size: Any) -> None:
    with pytest.raises(ValueError, match=r"^shard_size: .* is not a size; give a number of bytes above 0, or one with a unit"):
        StoreSettings(shard_size=size)


def test_settings_refuse_an_empty_path() -> None:
    assert StoreSettings() == StoreSettings(path=None, dtype="float32", shard_size="256 MiB", single_file=True)
    with pytest.raises(ValueError, match="path: must name a file"):
        StoreSettings(path=" ")
