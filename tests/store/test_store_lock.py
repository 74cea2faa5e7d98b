"""Who is writing a store is said by whatever meets it."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
from sound_samples import IDENTITY, NUM_SENTENCES, PROVENANCE, VIEWS, block, write, write_unfinished

from embedpipe.errors import StoreError
from embedpipe.store import StoreWriter, open_store
from embedpipe.store.lock import WriterLock, find_writer
from embedpipe.store.verify import verify

ME = rf"(?i:process {os.getpid()} on \S+ \(since 20\d\d-\S+\))"


def writing(path: Path) -> StoreWriter:
    return StoreWriter(path, VIEWS, identity=IDENTITY)


def test_the_writer_of_a_store_is_known_while_it_writes(tmp_path: Path) -> None:
    folder = tmp_path / "s.h5.shards"
    assert find_writer(folder) is None
    with writing(tmp_path / "s.h5"):
        assert re.fullmatch(ME, find_writer(folder))
        assert re.fullmatch(ME, find_writer(folder))  # a look leaves the lock as it is
        with pytest.raises(StoreError, match=ME):
            writing(tmp_path / "s.h5").__enter__()
    assert find_writer(folder) is None


def test_a_lock_that_a_killed_run_left_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": 1, "host": "h", "since": "2020"}')
    assert find_writer(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"pid": 4}'])
def test_a_writer_that_does_not_say_who_it_is_is_a_writer(tmp_path: Path, content: str) -> None:
    lock = WriterLock(tmp_path / "lock", tmp_path / "s.h5")
    (tmp_path / "lock").write_text(content)
    assert find_writer(tmp_path) == "another process"
    lock.release()


def test_a_pipe_or_a_link_in_the_place_of_the_lock_is_nobody_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    assert find_writer(tmp_path) is None
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").symlink_to("elsewhere")
    assert find_writer(tmp_path) is None and not (tmp_path / "elsewhere").exists()


def test_looking_at_the_lock_turns_no_writer_away(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            find_writer(tmp_path)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(200):
            WriterLock(tmp_path / "lock", tmp_path / "s.h5").release()
            (tmp_path / "lock").touch()
    finally:
        stop.set()
        thread.join()


def test_verify_says_who_is_writing_and_that_it_will_end(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    with writing(path) as writer:
        (finding,) = verify(path)
        assert re.search(f"no such file. {ME} is writing it", finding.what) and finding.hint == "wait for it to end"
        writer.append(block(0, 5), 0)
        with (tmp_path / "s.h5.shards" / "manifest.jsonl").open("a") as manifest:
            manifest.write('{"name": "0000')  # in the middle of the next line
        (finding,) = verify(path)
        assert re.fullmatch(
            f"s.h5: the run is unfinished: 5 sentences in 1 shard are committed, and {ME} is writing it", str(finding)
        )
        assert finding.hint == "wait for it to end"


def test_a_finished_store_is_sound_while_something_is_written_beside_it(tmp_path: Path) -> None:
    for bounds in ((0, NUM_SENTENCES), (0, 5, NUM_SENTENCES)):
        path = write(tmp_path / str(len(bounds)) / "s.h5", bounds)
        folder = path.with_name("s.h5.shards")
        folder.mkdir(exist_ok=True)
        lock = WriterLock(folder / "lock", path)
        (folder / "000007.h5").touch()
        assert list(verify(path)) == []
        lock.release()
        assert len(list(verify(path))) == 1


def test_opening_a_store_that_is_being_written_says_by_whom(tmp_path: Path) -> None:
    path = write_unfinished(tmp_path / "s.h5", (0, 5))
    with pytest.raises(StoreError, match=r"An unfinished run with 5 committed sentences.*same extract command again"):
        open_store(path)
    with writing(path) as writer:
        with pytest.raises(StoreError, match=rf"{ME} is writing it: 5 sentences are committed. Wait for it to end\.$"):
            open_store(path)
        writer.append(block(5, NUM_SENTENCES), 5)
        writer.finish(PROVENANCE)
        open_store(path).close()
