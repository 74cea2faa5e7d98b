"""Stores on object storage: the same files, brought up shard by shard; one writer; and read without fetching what is not asked for."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

import embedpipe
from embedpipe.cli.main import main
from embedpipe.downstream import StoreFeatures, TextFeatures
from embedpipe.errors import DamagedStoreError, FeaturesError, StoreError
from embedpipe.store import is_url, open_store
from embedpipe.store.remote import lock, mirror
from embedpipe.store.remote.files import RemoteFiles, cache_folder

URL = "memory://bucket/features.h5"


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, monkeypatch: Any) -> Iterator[Any]:
    """Storage in the memory of this process, and caches of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    rows = (f"w{row} {' '.join(str((7 * row + 3 * column) % 11 - 5) for column in range(8))}" for row in range(300))
    (tmp_path / "v.txt").write_text("\n".join(rows))
    write(tmp_path, 300)
    return {
        "corpus": {"type": "words", "path": str(tmp_path / "c.txt")},
        "encoder": {"type": "static", "path": str(tmp_path / "v.txt")},
        "views": {"last": {"layers": "last"}},
        "store": {"shard_size": 4000},
    }


def write(folder: Path, num_sentences: int) -> None:
    (folder / "c.txt").write_text("".join(f"w{number} w{number // 2} w{number // 3}\n" for number in range(num_sentences)))


def files(storage: Any) -> dict[str, bytes]:
    return {path.rpartition("/")[2]: bytes(file.getbuffer()) for path, file in storage.store.items()}


def made_here(config: Any, path: Path) -> dict[str, bytes]:
    """What the same extraction leaves in a folder."""
    embedpipe.extract(config, path).close()
    return {file.name: file.read_bytes() for file in [path, *path.with_name(f"{path.name}.shards").glob("*")]}


def but_the_time(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in contents.items() if name != "features.h5"}


def test_what_is_a_url() -> None:
    assert is_url("s3://bucket/x.h5") and is_url("memory://x")
    assert not is_url("x.h5") and not is_url("/a/b.h5") and not is_url("C:/x.h5") and not is_url(Path("s3://b/x.h5"))


def test_the_files_there_are_those_that_a_folder_would_have(config: Any, storage: Any, tmp_path: Path) -> None:
    with embedpipe.extract(config, URL) as store:
        assert len(store) == 300 and len(store.shards) > 5
    there, here = files(storage), made_here(config, tmp_path / "features.h5")
    assert there.keys() == here.keys() and but_the_time(there) == but_the_time(here)


def test_a_store_of_one_shard_is_one_file(config: Any, storage: Any) -> None:
    storage.pipe_file("/bucket/features.h5.shards/000000.h5", b"of a run that was given up")
    with embedpipe.extract(config | {"store": {}}, URL) as store:
        assert store.vectors("last", 3).shape == (3, 8)
    assert files(storage).keys() == {"features.h5"}


def test_a_reader_fetches_the_shards_that_it_reads(config: Any, storage: Any, tmp_path: Path, monkeypatch: Any) -> None:
    embedpipe.extract(config, URL).close()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    here = embedpipe.extract(config, tmp_path / "features.h5")
    with open_store(URL) as store:
        folder = store.path.with_name("features.h5.shards")
        assert len(store.ids) == 300 and not folder.exists(), "ids and labels need no shard"
        np.testing.assert_array_equal(store.vectors("last", 150), here.vectors("last", 150))
        assert len(list(folder.iterdir())) == 1
        again = pickle.loads(pickle.dumps(store))
        np.testing.assert_array_equal(again.matrix("last")[:], here.matrix("last")[:])
        assert len(list(folder.iterdir())) == len(store.shards)


def test_a_shard_that_is_another_one_is_refused(config: Any, storage: Any, tmp_path: Path, monkeypatch: Any) -> None:
    embedpipe.extract(config, URL).close()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    storage.pipe_file(
        "/bucket/features.h5.shards/000000.h5", b"x" * storage.info("/bucket/features.h5.shards/000000.h5")["size"]
    )
    with open_store(URL) as store, pytest.raises(DamagedStoreError, match=r"000000\.h5 is not the one"):
        store.vectors("last", 0)


@pytest.mark.parametrize("is_another_machine", [False, True])
def test_an_interrupted_run_goes_on_here_and_elsewhere(
    config: Any, storage: Any, tmp_path: Path, monkeypatch: Any, is_another_machine: bool
) -> None:
    monkeypatch.setattr(mirror, "_MANIFEST_SECONDS", 0)

    def stop(progress: Any) -> None:
        if progress.num_sentences > 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedpipe.extract(config, URL, on_progress=stop)
    assert "features.h5" not in files(storage) and "lock" not in files(storage)
    if is_another_machine:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    with embedpipe.extract(config, URL) as store:
        assert store.provenance["run"]["num_shards_kept"] > 0
    assert but_the_time(files(storage)) == but_the_time(made_here(config, tmp_path / "features.h5"))


def test_the_same_command_finds_it_done_and_a_missing_shard(
    config: Any, storage: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    embedpipe.extract(config, URL).close()
    before = files(storage)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    with embedpipe.extract(config, URL) as store:
        assert not store.path.with_name("features.h5.shards").exists(), "to find it done nothing is fetched but its own file"
    assert files(storage) == before
    storage.rm_file("/bucket/features.h5.shards/000001.h5")
    with pytest.raises(DamagedStoreError, match=r"000001\.h5 is missing"):
        embedpipe.extract(config, URL)
    with embedpipe.extract(config, URL, restart=True) as store:
        assert len(store) == 300


def test_it_grows(config: Any, storage: Any, tmp_path: Path, monkeypatch: Any) -> None:
    embedpipe.extract(config, URL).close()
    embedpipe.extract(config, tmp_path / "features.h5").close()
    write(tmp_path, 400)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    with pytest.raises(StoreError, match="--append"):
        embedpipe.extract(config, URL)
    with embedpipe.extract(config, URL, append=True) as store:
        assert len(store) == 400
    embedpipe.extract(config, tmp_path / "features.h5", append=True).close()
    folder = tmp_path / "features.h5.shards"
    assert but_the_time(files(storage)) == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_another_config_is_refused_and_nothing_is_replaced(config: Any, storage: Any) -> None:
    embedpipe.extract(config, URL).close()
    before = files(storage)
    with pytest.raises(StoreError, match=r"made otherwise") as refused:
        embedpipe.extract(config | {"store": {"shard_size": 9000}}, URL)
    assert URL in str(refused.value) and str(cache_folder(URL)) not in str(refused.value)
    assert files(storage) == before


def test_two_cannot_write_at_once_and_a_dead_writer_is_succeeded(config: Any, storage: Any, monkeypatch: Any) -> None:
    held = lock.RemoteLock(RemoteFiles(URL))
    with pytest.raises(StoreError, match=r"process \d+ on .* is writing it"):
        embedpipe.extract(config, URL)
    monkeypatch.setattr(lock, "STALE_SECONDS", 0.0)
    time.sleep(0.01)
    embedpipe.extract(config, URL).close()
    with pytest.raises(StoreError, match="another process has taken the store over"):
        held.check()
    held.release()
    assert "lock" not in files(storage)


def test_a_lock_is_renewed(monkeypatch: Any) -> None:
    monkeypatch.setattr(lock, "RENEWED_SECONDS", 0.01)
    remote = RemoteFiles(URL)
    held = lock.RemoteLock(remote)
    first, deadline = remote.read("lock"), time.monotonic() + 10
    while remote.read("lock") == first and time.monotonic() < deadline:
        time.sleep(0.01)
    assert json.loads(remote.read("lock") or b"")["renewed"] > json.loads(first or b"")["renewed"]
    held.release()
    assert remote.read("lock") is None


def test_storage_that_fails_is_an_error_and_what_was_committed_is_gone_on_with(
    config: Any, storage: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    put, left = type(storage).put_file, iter(range(3))

    def put_file(self: Any, *given: Any, **named: Any) -> Any:
        if next(left, None) is None:
            raise PermissionError("not today")
        return put(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(type(storage), "put_file", put_file)
        with pytest.raises(StoreError, match=r"bringing up memory://bucket/features\.h5: .*not today.*is kept"):
            embedpipe.extract(config, URL)
    assert "features.h5" not in files(storage) and "lock" not in files(storage)
    with embedpipe.extract(config, URL) as store:
        assert store.provenance["run"]["num_shards_kept"] > 0
    assert but_the_time(files(storage)) == but_the_time(made_here(config, tmp_path / "features.h5"))


def test_what_cannot_be_reached_or_is_not_there_is_said(config: Any) -> None:
    with pytest.raises(StoreError, match=r"cannot open the store memory://bucket/none\.h5: there is no such file"):
        open_store("memory://bucket/none.h5")
    with pytest.raises(StoreError, match=r"cannot use nowhere://b/x\.h5: .*pip install"):
        open_store("nowhere://b/x.h5")


def test_old_copies_go_and_a_replaced_store_is_read_anew(config: Any, storage: Any, tmp_path: Path) -> None:
    embedpipe.extract(config, URL).close()
    write(tmp_path, 20)
    with embedpipe.extract(config, URL, restart=True) as store:
        assert len(store) == 20
    storage.pipe_file("/bucket/features.h5", bytes(files(storage)["features.h5"]))  # by another machine
    with open_store(URL) as store:
        assert len(store) == 20
    assert len(list(cache_folder(URL).iterdir())) == 1


def test_info_fetches_no_shard_unless_flags_are_to_be_counted(
    config: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    with (tmp_path / "c.txt").open("a", encoding="utf-8") as corpus:
        corpus.write("unheard-of\n")
    embedpipe.extract(config, URL).close()

    def info(*options: str) -> str:
        monkeypatch.setattr("sys.argv", ["embedpipe", "info", URL, *options])
        main()
        return str(capsys.readouterr().out)

    here = info()
    assert json.loads(info("--json"))["flags"] == {"UNKNOWN_SUBWORD": 1}, "who has written it has its shards"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    there, as_json = info(), json.loads(info("--json"))
    assert "not counted, as the shards are not here; --flags fetches them (" in there and as_json["flags"] is None
    assert as_json["counts"]["sentences"] == 301 and as_json["views"]["last"]["rows"] == 901
    with open_store(URL) as store:
        assert store.shards_to_fetch == store.shards
        assert info("--flags") == here
        assert not store.shards_to_fetch


def test_features_come_from_a_store_at_a_url_whatever_its_name_and_errors_name_it(config: Any) -> None:
    url = "memory://bucket/no-ending"
    embedpipe.extract(config, url).close()
    live = TextFeatures(url).transform([["w0", "w7"]])
    np.testing.assert_array_equal(live[:1], StoreFeatures(url).fit_transform(np.array([0])))
    with pytest.raises(FeaturesError, match=rf"row 999 is not in view 'last' of {url}, which has 900 rows"):
        StoreFeatures(url).fit_transform(np.array([999]))
    with open_store(url) as store, pytest.raises(FeaturesError, match=rf"^{url} has no label 'ner'"):
        store.label("ner")


def test_the_commands_take_urls(config: Any, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    for command in (
        ["extract", str(tmp_path / "config.json"), "-o", URL],
        ["info", URL],
        ["verify", URL],
        ["export", URL, "--format", "npz", "-o", str(tmp_path / "x.npz")],
    ):
        monkeypatch.setattr("sys.argv", ["embedpipe", *command])
        main()
    assert "all is well" in capsys.readouterr().out
