from __future__ import annotations

import hashlib
import os
import signal
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
from embedpipe.store import StoreSettings, StoreWriter, durable, open_store

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


@pytest.mark.parametrize("chunk_bytes", [64, 1 << 18])
def test_same_blocks_give_the_same_bytes(tmp_path: Path, chunk_bytes: int) -> None:
    first = SAMPLE.write(tmp_path / "a.h5", chunk_bytes=chunk_bytes, provenance={"x": 1})
    time.sleep(1.1)  # HDF5 would count seconds
    second = SAMPLE.write(tmp_path / "b.h5", chunk_bytes=chunk_bytes, provenance={"x": 1})
    assert sha256(first) == sha256(second)


def test_small_store_has_the_same_bytes_in_whatever_portions_it_comes(tmp_path: Path) -> None:
    assert len({sha256(SAMPLE.write(tmp_path / f"{size}.h5", size=size)) for size in (1, 5, 99)}) == 1


def test_small_store_is_small(tmp_path: Path) -> None:
    assert SAMPLE.write(tmp_path / "s.h5").stat().st_size < 32_000


def test_nothing_is_at_the_path_before_the_store_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "s.h5"
    with StoreWriter(path, VIEWS) as writer:
        writer.append(one_block())
        assert not path.exists()
        assert writer.finish({}) == path
        assert path.exists()
    assert files(path.parent) == ["s.h5"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, None])
def test_nothing_is_left_when_the_writer_does_not_finish(tmp_path: Path, fault: type[BaseException] | None) -> None:
    def leave() -> None:
        with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
            writer.append(one_block())
            if fault:
                raise fault

    if fault:
        with pytest.raises(fault):
            leave()
    else:
        leave()
    assert files(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from store_samples import VIEWS, fixed_sample
from embedpipe.store import StoreWriter, durable
if {at!r} == "publish":
    durable.PartialFile.publish = lambda self: os.kill(os.getpid(), signal.SIGKILL)
with StoreWriter({path!r}, VIEWS, overwrite={overwrite!r}) as writer:
    for block in fixed_sample().blocks(4):
        writer.append(block)
        if {at!r} == "append":
            os.kill(os.getpid(), signal.SIGKILL)
    writer.finish({{}})
"""


@pytest.mark.parametrize("at", ["append", "publish"])
def test_killed_run_leaves_the_path_as_it_was_and_the_next_run_clears_up(tmp_path: Path, at: str) -> None:
    path = tmp_path / "s.h5"
    for overwrite in (False, True):
        before = path.read_bytes() if overwrite else None
        code = KILLED.format(folder=str(Path(__file__).parent), path=str(path), overwrite=overwrite, at=at)
        assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == -signal.SIGKILL
        assert (path.read_bytes() if path.exists() else None) == before
        if not overwrite:
            with pytest.raises(StoreError, match=r"no such file\. A run that has not ended, or was killed, has left .*partial"):
                open_store(path)
        SAMPLE.write(path, overwrite=overwrite)
        assert files(tmp_path) == ["s.h5"]


def test_store_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = SAMPLE.write(tmp_path / "s.h5")
    before = sha256(path)
    with pytest.raises(StoreError, match=r"a store is already there.*--restart"):
        SAMPLE.write(path)
    assert sha256(path) == before
    with open_store(path) as opened:
        fixed_sample(3).write(path, overwrite=True)
        assert len(opened) == len(opened[:]) == 12  # the reader keeps the file that it opened
        assert opened["doc-0/1"].index == 1
    with open_store(path) as store:
        assert len(store) == 3


def test_file_that_is_no_store_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("Chapter 1\n")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="a text file is already there, and only an embedpipe store is ever replaced"):
            SAMPLE.write(path, overwrite=overwrite)
    assert path.read_text() == "Chapter 1\n" and files(tmp_path) == ["thesis.txt"]


def test_file_that_comes_while_the_store_is_written_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="only an embedpipe store is ever replaced"):
        with StoreWriter(tmp_path / "s.h5", VIEWS, overwrite=True) as writer:
            (tmp_path / "s.h5").write_text("mine")
            writer.finish({})
    assert (tmp_path / "s.h5").read_text() == "mine" and files(tmp_path) == ["s.h5"]


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "s.h5").symlink_to(tmp_path / "disk" / "big.h5")
    SAMPLE.write(tmp_path / "s.h5")
    assert files(tmp_path / "disk") == ["big.h5"] and (tmp_path / "s.h5").is_symlink()


def test_two_runs_for_one_path_do_not_mix(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        with pytest.raises(StoreError, match="another process is writing it"):
            SAMPLE.write(tmp_path / "s.h5")
        writer.append(one_block())
        writer.finish({})
    with open_store(tmp_path / "s.h5") as store:
        assert len(store) == 12


def test_path_that_cannot_be_written_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="it is a folder"):
        SAMPLE.write(tmp_path)
    with pytest.raises(StoreError, match=r"a part of the folder .* is a file"):
        SAMPLE.write(tmp_path / "file" / "s.h5")
    with pytest.raises(StoreError, match="File name too long"):
        SAMPLE.write(tmp_path / ("x" * 252))

    def refuse(path: Path) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(durable, "_open_locked", refuse)
    with pytest.raises(StoreError, match=r"the folder .* is not writable for you"):
        SAMPLE.write(tmp_path / "s.h5")


FULL = """
import resource, sys
from dataclasses import replace
sys.path.insert(0, {folder!r})
from store_samples import VIEWS, fixed_sample
from embedpipe.errors import StoreError
from embedpipe.store import StoreWriter
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    fixed_sample(400).write({path!r}, chunk_bytes=4096)
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [2_000, 30_000])
def test_write_that_the_system_refuses_is_an_error_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    pytest.importorskip("resource")
    code = FULL.format(folder=str(Path(__file__).parent), path=str(tmp_path / "s.h5"), limit=limit)
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout == f"cannot write the store {tmp_path / 's.h5'}: File too large.\n"
    assert (run.returncode, run.stderr, files(tmp_path)) == (0, "", [])


def test_full_disk_is_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoreError) as caught:
        patch.setattr(os, "pwrite", Mock(side_effect=OSError(28, "No space left on device")))
        SAMPLE.write(tmp_path / "s.h5")
    assert "the disk is full (" in str(caught.value) and str(tmp_path) in str(caught.value)
    assert files(tmp_path) == []


def test_interrupt_in_the_middle_of_a_write_is_an_interrupt(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "pwrite", Mock(side_effect=KeyboardInterrupt))
        SAMPLE.write(tmp_path / "s.h5", chunk_bytes=64)
    assert files(tmp_path) == []


def test_id_that_comes_twice_is_named_with_both_places(tmp_path: Path) -> None:
    sentences = [Sentence.from_words(f"s{index}", "d", ["a"]) for index in range(40)]
    for earlier, later, size in ((3, 4, 10), (3, 4, 1), (0, 39, 7)):
        broken = list(sentences)
        broken[later] = replace(broken[later], id=f"s{earlier}")
        expected = f"sentence {later}: its id 's{earlier}' is already that of sentence {earlier} "
        with pytest.raises(StoreError, match=expected):
            make_sample(broken).write(tmp_path / "s.h5", size=size, chunk_bytes=64)
    assert files(tmp_path) == []


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
        writer.append(block)


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
            writer.append(block)
        with pytest.raises(StoreError, match="an earlier block failed"):
            writer.finish({})
    assert files(tmp_path) == []


def test_provenance_that_is_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="its provenance is not JSON"):
        SAMPLE.write(tmp_path / "s.h5", provenance={"x": object()})


def test_writer_is_used_in_its_with_only(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "s.h5", VIEWS)
    with pytest.raises(StoreError, match="not open for writing"):
        writer.append(one_block())
    with writer:
        writer.finish({})
        with pytest.raises(StoreError, match="not open for writing"):
            writer.append(one_block())


def test_block_may_be_reused_for_the_next_one(tmp_path: Path) -> None:
    block = one_block()
    views = {name: rows.copy() for name, rows in block.views.items()}
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        writer.append(replace(block, views=views))
        for rows in views.values():
            rows[:] = 0
        writer.finish({})
    with open_store(tmp_path / "s.h5") as store:
        np.testing.assert_array_equal(store.matrix("last"), SAMPLE.rows["last"])


def test_settings_refuse_an_empty_path() -> None:
    assert StoreSettings() == StoreSettings(path=None, dtype="float32")
    with pytest.raises(ValueError, match="path: must name a file"):
        StoreSettings(path=" ")
