"""Real disks that get full, vanish, or are read-only in the middle of a run: a clear error, and the next run goes on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crash_runs import Server, contents

import embedpipe


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Any]:
    """Mounts something at a folder, which is unmounted at the end."""
    places = []

    def mount_at(*options: str) -> Path:
        place = tmp_path / "disk"
        place.mkdir(exist_ok=True)
        command = ["mount", *options, str(place)]
        run = subprocess.run(command, capture_output=True, text=True, check=False) if shutil.which("mount") else None
        if run is None or run.returncode:
            pytest.skip(f"nothing may be mounted here: {run.stderr.strip() if run else 'there is no mount'}")
        places.append(place)
        return place

    yield mount_at
    for place in places:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def committed(folder: Path) -> int:
    manifest = folder / "features.h5.shards" / "manifest.jsonl"
    return manifest.read_bytes().count(b"\n") - 1 if manifest.exists() else 0


def last_error(server: Server) -> str:
    return server.errors.read_text().splitlines()[-1]


def last(points: list[str], point: str) -> int:
    """The number of the last time that a run passes a commit point."""
    return len(points) - points[::-1].index(point)


def test_a_disk_that_gets_full_is_a_clear_error_and_with_space_the_next_run_goes_on(config, server, whole, mount):
    files, points = whole
    disk = mount("-t", "tmpfs", "-o", "size=2m", "tmpfs")
    request = {"config": config, "output": str(disk / "features.h5")}
    fill = ["sh", "-c", f"dd if=/dev/zero of={disk}/ballast bs=4k 2>/dev/null; true"]
    for point in ("during write: shard", "before write: line", "before write: store"):
        at = last(points, point)
        assert server.run(**request, command={"at": at, "run": fill})["status"] == 1, point
        assert f"StoreError: cannot write the store {disk}/features.h5: the disk is full (0 bytes" in last_error(server)
        assert "What was committed is kept: free some space and run the same command again" in last_error(server)
        assert committed(disk) >= points[:at].count("after fsync: line")
        (disk / "ballast").unlink()
        assert server.run(**request)["status"] == 0, (point, server.errors.read_text())
        assert contents(disk) == files, point
        shutil.rmtree(disk / "features.h5.shards")
        (disk / "features.h5").unlink()
    assert "Traceback" not in server.errors.read_text()


def test_a_mount_that_vanishes_is_a_clear_error_and_once_it_is_back_the_next_run_goes_on(
    config, server, whole, mount, tmp_path
):
    files, points = whole
    behind = tmp_path / "behind"
    behind.mkdir()
    disk = mount("--bind", str(behind))
    request = {"config": config, "output": str(disk / "features.h5")}
    for point in ("before write: line", "before rename: store"):
        at = last(points, point)
        assert server.run(**request, command={"at": at, "run": ["umount", "-l", str(disk)]})["status"] == 1
        assert f"the folder {disk}/features.h5.shards is gone; it was removed or renamed, or its disk is" in last_error(server)
        assert list(disk.iterdir()) == []
        mount("--bind", str(behind))
        assert committed(behind) >= points[:at].count("after fsync: line")
        assert server.run(**request)["status"] == 0, (point, server.errors.read_text())
        assert contents(behind) == files, point
        shutil.rmtree(behind / "features.h5.shards")
        (behind / "features.h5").unlink()
    assert "Traceback" not in server.errors.read_text()


def test_on_a_disk_that_has_become_read_only_nothing_is_lost(config, server, whole, mount):
    files, points = whole
    disk = mount("-t", "tmpfs", "-o", "size=2m", "tmpfs")
    request = {"config": config, "output": str(disk / "features.h5")}
    assert server.run(**request, kill_at=len(points) // 2)["status"] == -9
    kept = committed(disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert server.run(**request)["status"] == 1
    assert f"the disk of {disk} is read-only. What was committed is kept: make it writable" in last_error(server)
    assert committed(disk) == kept > 0
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert server.run(**request)["status"] == 0, server.errors.read_text()
    assert contents(disk) == files


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_folder_that_is_renamed_in_the_middle_is_a_clear_error_and_the_next_run_goes_on(
    config, server, whole, tmp_path, share
):
    files, points = whole
    folder, aside = tmp_path / "features.h5.shards", tmp_path / "aside"
    request = {"config": config, "output": str(tmp_path / "features.h5")}
    command = {"at": int(len(points) * share), "run": ["mv", str(folder), str(aside)]}
    answer = server.run(**request, command=command)
    assert answer["status"] == 1 and f"the folder {folder} is gone; it was removed or renamed" in last_error(server)
    assert [path.name for path in tmp_path.iterdir()] == ["aside"]
    aside.rename(folder)
    assert committed(tmp_path) >= answer["points"].count("after fsync: line")
    assert server.run(**request)["status"] == 0, server.errors.read_text()
    assert contents(tmp_path) == files
    embedpipe.open_store(tmp_path / "features.h5").close()
