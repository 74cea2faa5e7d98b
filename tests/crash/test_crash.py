"""Real processes, killed with SIGKILL, and the same command again: nothing sealed is lost and the bytes are the same."""

from __future__ import annotations

import errno
import os
import random
import shutil
from pathlib import Path

import pytest
from crash_runs import contents, run_whole

import embedpipe
from embedpipe.store import durable


def numbers_of_every_point(points: list[str]) -> list[int]:
    """The first time that a run passes each commit point, and the last: in the first shard and in the last one."""
    first = {name: number for number, name in reversed(list(enumerate(points, 1)))}
    last = {name: number for number, name in enumerate(points, 1)}
    return sorted({*first.values(), *last.values()})


def test_the_run_has_several_shards_and_passes_every_commit_point(whole):
    files, points = whole
    assert sum(name.startswith("features.h5.shards/0") for name in files) >= 3
    assert set(points) == set(durable.COMMIT_POINTS)


def test_killed_at_any_commit_point_and_started_again_the_store_is_the_same(config, server, whole, tmp_path):
    files, points = whole
    for number in numbers_of_every_point(points):
        folder = tmp_path / str(number)
        request = {"config": config, "output": str(folder / "features.h5")}
        assert server.run(**request, kill_at=number)["status"] == -9
        assert server.run(**request)["status"] == 0, (number, points[number - 1], server.errors.read_text())
        assert contents(folder) == files, (number, points[number - 1])


def test_killed_at_random_moments_until_it_is_done_the_store_is_the_same(
    config, server, tiny_model, tmp_path_factory, tmp_path
):
    config = config | {"encoder": {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"}}
    files, _ = run_whole(config, server, tmp_path_factory.mktemp("whole"))
    rng = random.Random(7)
    request = {"config": config, "output": str(tmp_path / "features.h5")}
    killed = 0
    while killed < 30:
        answer = server.run(**request, kill_after=rng.uniform(0, 0.3))
        killed += answer["status"] == -9
        if answer["status"] == 0 or (tmp_path / "features.h5").exists():
            assert server.run(**request)["status"] == 0
            assert contents(tmp_path) == files
            shutil.rmtree(tmp_path)
    assert server.run(**request)["status"] == 0, server.errors.read_text()
    assert contents(tmp_path) == files


def test_what_is_sealed_is_not_computed_again(config, server, whole, tmp_path):
    _, points = whole
    request = {"config": config, "output": str(tmp_path / "features.h5")}
    server.run(**request, kill_at=len(points) * 2 // 3)
    sealed = {path: path.stat().st_mtime_ns for path in (tmp_path / "features.h5.shards").glob("*.h5")}
    committed = (tmp_path / "features.h5.shards" / "manifest.jsonl").read_text().count("\n") - 1
    assert committed >= 2
    server.run(**request)
    kept = [path for path, when in sealed.items() if path.exists() and path.stat().st_mtime_ns == when]
    assert len(kept) >= committed


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_at_any_commit_point_is_a_clear_error_and_the_next_run_goes_on(
    config, server, whole, tmp_path, number
):
    files, points = whole
    for at in numbers_of_every_point(points)[::4]:
        folder = tmp_path / str(at)
        request = {"config": config, "output": str(folder / "features.h5")}
        answer = server.run(**request, fault={"at": at, "errno": number})
        assert answer["status"] == 1, (at, points[at - 1], answer, server.errors.read_text())
        assert server.errors.read_text().splitlines()[-1].startswith("StoreError: ")
        assert server.run(**request)["status"] == 0, (at, points[at - 1], server.errors.read_text())
        assert contents(folder) == files, (at, points[at - 1])
    assert "Traceback" not in server.errors.read_text()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
def test_a_shard_that_is_damaged_between_two_runs_is_made_again(config, server, whole, tmp_path, damage):
    files, points = whole
    request = {"config": config, "output": str(tmp_path / "features.h5")}
    server.run(**request, kill_at=len(points) - 3)
    damage(tmp_path / "features.h5.shards" / "000001.h5")
    assert server.run(**request)["status"] == 0, server.errors.read_text()
    assert contents(tmp_path) == files


def test_the_corpus_must_not_change_between_two_runs(config, server, whole, tmp_path):
    _, points = whole
    corpus = tmp_path / "corpus.txt"
    shutil.copy(config["corpus"]["path"], corpus)
    config = config | {"corpus": config["corpus"] | {"path": str(corpus)}}
    request = {"config": config, "output": str(tmp_path / "features.h5")}
    server.run(**request, kill_at=len(points) // 2)
    corpus.write_text(corpus.read_text() + "one more line\n")
    assert server.run(**request)["status"] == 1
    message = server.errors.read_text()
    assert "inputs.corpus/0" in message and "--restart" in message


def test_an_unfinished_store_says_how_to_go_on(config, server, whole, tmp_path):
    _, points = whole
    server.run(config=config, output=str(tmp_path / "features.h5"), kill_at=len(points) // 2)
    with pytest.raises(embedpipe.EmbedpipeError, match="the same"):
        embedpipe.open_store(tmp_path / "features.h5")
