"""What the system refuses is said in words, with what to do, and leaves nothing behind that is in the way of the next run."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest.mock import Mock

import pytest
from sound_samples import IDENTITY, NUM_SENTENCES, PROVENANCE, VIEWS, block

from embedpipe.errors import StoreError
from embedpipe.store import StoreWriter, open_store
from embedpipe.store.durable import write_error
from embedpipe.store.lock import find_writer


def writing(path: Path) -> StoreWriter:
    return StoreWriter(path, VIEWS, identity=IDENTITY)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            errno.ENOSPC,
            "the disk is full ([0-9,]+ bytes are free in {folder}). What was committed is kept: free some space and",
        ),
        (errno.EDQUOT, "your quota on the disk of {folder} is used up. What was committed is kept: free some space and run"),
        (errno.EFBIG, "larger than the system allows .see ulimit -f.. What was committed is kept: raise the limit and run"),
        (errno.EROFS, "the disk of {folder} is read-only. What was committed is kept: make it writable and run the same"),
        (errno.EACCES, "the folder {folder} is not writable for you. Choose another path with --output.$"),
        (errno.EEXIST, "a part of the folder {folder} is a file. Choose another path with --output.$"),
        (errno.ENOENT, "the folder {folder}/s.h5.shards is gone; it was removed or renamed, or its disk is not mounted"),
        (errno.ESTALE, "the folder {folder}/s.h5.shards is gone"),
        (errno.EIO, "the disk of {folder} failed .Input/output error.. What was committed had been brought to the disk before"),
        (errno.ENAMETOOLONG, "File name too long.$"),
    ],
)
def test_an_error_of_the_system_says_what_it_means_and_what_to_do(tmp_path: Path, code: int, message: str) -> None:
    expected = message.replace("(", r"\(").replace(")", r"\)").format(folder=tmp_path)
    (tmp_path / "link.h5").symlink_to("s.h5")
    with pytest.raises(StoreError, match=rf"cannot write the store {tmp_path}/link.h5: .*{expected}"):
        raise write_error(tmp_path / "link.h5", OSError(code, os.strerror(code)))


def test_a_folder_that_is_there_is_not_said_to_be_gone(tmp_path: Path) -> None:
    (tmp_path / "s.h5.shards").mkdir()
    assert str(write_error(tmp_path / "s.h5", FileNotFoundError(2, "x"))).endswith(": No such file or directory.")
    assert "failed (Stale file handle)" in str(write_error(tmp_path / "s.h5", OSError(errno.ESTALE, "x")))


def test_a_disk_without_room_for_more_files_is_not_said_to_have_free_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: Mock(f_files=1000, f_favail=0))
    assert f"the disk is full (no more files can be made in {tmp_path})" in str(write_error(tmp_path / "s", OSError(28, "x")))
    monkeypatch.setattr(os, "statvfs", Mock(side_effect=OSError))
    assert f"the disk is full (in {tmp_path})" in str(write_error(tmp_path / "s", OSError(28, "x")))


def test_a_folder_that_is_away_for_a_while_leaves_no_lock_behind_in_the_process(tmp_path: Path) -> None:
    folder, aside = tmp_path / "s.h5.shards", tmp_path / "aside"
    with writing(tmp_path / "s.h5") as writer:
        writer.append(block(0, 5), 0)
        folder.rename(aside)
        with pytest.raises(StoreError, match=r"s.h5.shards is gone"):
            writer.append(block(5, 8), 5)
    aside.rename(folder)
    assert find_writer(folder) is None
    with writing(tmp_path / "s.h5") as writer:
        assert writer.gaps() == [(5, None)]
        writer.append(block(5, NUM_SENTENCES), 5)
        writer.finish(PROVENANCE)
    with open_store(tmp_path / "s.h5") as store:
        assert len(store) == NUM_SENTENCES


def test_a_lock_that_has_no_room_for_its_text_is_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with writing(tmp_path / "s.h5") as writer:
        with pytest.raises(StoreError, match="another process is writing it"):
            writing(tmp_path / "s.h5").__enter__()
        writer.append(block(0, NUM_SENTENCES), 0)
        writer.finish(PROVENANCE)
    assert [path.name for path in tmp_path.iterdir()] == ["s.h5"]


def test_a_lock_that_cannot_be_removed_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(tmp_path / "s.h5") as writer:
        writer.append(block(0, 5), 0)
        monkeypatch.setattr(Path, "unlink", Mock(side_effect=OSError(errno.EROFS, "Read-only file system")))
    monkeypatch.undo()
    assert (tmp_path / "s.h5.shards" / "lock").exists() and find_writer(tmp_path / "s.h5.shards") is None
