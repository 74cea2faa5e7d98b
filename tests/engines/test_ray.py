"""On Ray: the same bytes as in one process, whoever is killed on the way."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from test_workers import shards, text, write_vectors

import embedpipe
from embedpipe.config import registry
from embedpipe.encoders import Static
from embedpipe.engines.loading import load_for_workers
from embedpipe.errors import EmbedpipeError, EncoderError, NonFiniteError, StoreError
from embedpipe.store import made

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(
        "local", num_cpus=8, include_dashboard=False, log_to_driver=False, logging_level="ERROR", object_store_memory=2**27
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "c.txt").write_text(text(700), encoding="utf-8")
    write_vectors(folder / "v.txt", 2100)
    return {
        "corpus": {"type": "words", "path": str(folder / "c.txt"), "document": "blank_line"},
        "encoder": {"type": "static", "path": str(folder / "v.txt")},
        "views": {"last": {"layers": "last"}, "all": {"layers": "last", "unit": "sentence"}},
        "store": {"shard_size": 20_000},
        "engine": {"type": "ray", "workers": 2},
    }


@pytest.fixture(scope="module")
def expected(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("one") / "s.h5"
    embedpipe.extract(config, path, engine="local", workers=1).close()
    made = shards(path)
    assert len(made) > 40
    return made


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_of_ray_make_the_same_bytes_as_one_process(
    cluster: None, config: Any, expected: Any, tmp_path: Path, workers: int
) -> None:
    seen = []
    with embedpipe.extract(config, tmp_path / "s.h5", workers=workers, on_progress=seen.append) as store:
        num_sentences = len(store)
    assert shards(tmp_path / "s.h5") == expected
    assert (seen[-1].num_sentences, seen[-1].done_bytes) == (num_sentences, seen[-1].size_bytes)
    assert are_gone()


def test_two_workers_of_ray_make_the_same_bytes_with_an_encoder_that_sees_documents(
    cluster: None, config: Any, tiny_model: Any, tmp_path: Path
) -> None:
    encoder = {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"}
    given = config | {"encoder": encoder, "context": {"type": "document", "window": 24}}
    embedpipe.extract(given, tmp_path / "one.h5", engine="local", workers=1).close()
    embedpipe.extract(given, tmp_path / "s.h5").close()
    assert shards(tmp_path / "s.h5") == shards(tmp_path / "one.h5")


def test_workers_killed_at_random_are_replaced_and_the_bytes_are_the_same(
    cluster: None, config: Any, expected: Any, tmp_path: Path
) -> None:
    num_kills, chooser, killed = 20, random.Random(7), []

    def kill_one(progress: Any) -> None:
        if len(killed) < num_kills and chooser.random() < 0.5 and (alive := [pid for pid in actors() if pid not in killed]):
            os.kill(victim := chooser.choice(alive), signal.SIGKILL)
            killed.append(victim)

    given = config | {"engine": {"type": "ray", "workers": 2, "max_retries": num_kills}}
    embedpipe.extract(given, tmp_path / "s.h5", on_progress=kill_one).close()
    assert len(set(killed)) == num_kills
    assert shards(tmp_path / "s.h5") == expected


def test_too_many_that_are_lost_are_an_error_and_another_engine_goes_on(
    cluster: None, config: Any, expected: Any, tmp_path: Path
) -> None:
    def kill_one(progress: Any) -> None:
        if progress.num_sentences and (alive := actors()):
            os.kill(alive[0], signal.SIGKILL)

    given = config | {"engine": {"type": "ray", "workers": 1, "max_retries": 0}}
    with pytest.raises(EmbedpipeError, match=r"(?s)a worker was lost \(.*\) at sentence .*What is sealed is kept"):
        embedpipe.extract(given, tmp_path / "s.h5", on_progress=kill_one)

    def stop(progress: Any) -> None:
        if progress.num_sentences > 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedpipe.extract(config, tmp_path / "s.h5", engine="local", workers=1, on_progress=stop)
    with embedpipe.extract(config, tmp_path / "s.h5") as store:
        assert store.provenance["run"]["num_shards_kept"] > 1
    assert shards(tmp_path / "s.h5") == expected


def test_what_a_worker_cannot_do_is_raised_here_and_says_where_it_was(cluster: None, config: Any, tmp_path: Path) -> None:
    too_large = {"layers": {"type": "weighted_sum", "layers": [0], "weights": [1e30]}}
    given = config | {"views": {"last": too_large}, "store": {"dtype": "float16"}}
    with pytest.raises(NonFiniteError, match=r"view 'last'.*\(on the node "):
        embedpipe.extract(given, tmp_path / "s.h5")
    assert are_gone() and not (tmp_path / "s.h5").exists()


def test_a_node_without_the_model_is_named_and_nothing_is_lost(
    cluster: None, config: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "v.txt").symlink_to(config["encoder"]["path"])
    given = config | {"encoder": config["encoder"] | {"path": str(tmp_path / "v.txt")}}
    monkeypatch.setattr("embedpipe.engines.ray_data.engine.load_for_workers", _load_and_remove)
    with pytest.raises(EncoderError, match=r"(?s)v\.txt.*\(on the node "):
        embedpipe.extract(given, tmp_path / "s.h5")


def _load_and_remove(config: Any) -> Any:
    """As if the driver had the model and no node."""
    embedder = load_for_workers(config)
    Path(config.job.encoder.path).unlink()
    return embedder


def test_a_node_that_does_not_see_the_folder_of_the_store_is_named(
    cluster: None, config: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("embedpipe.store.writer.StorePlace.locked", _locked_elsewhere)
    with pytest.raises(StoreError, match=r"(?s)is not here, or is another folder.*all machines see it.*\(on the node "):
        embedpipe.extract(config, tmp_path / "s.h5")


def _locked_elsewhere(self: Any, *, may_replace: bool) -> Any:
    from contextlib import nullcontext

    self.folder.mkdir()
    return nullcontext()


@dataclass(frozen=True)
class OnAFailingDisk(Static):
    """Static vectors on nodes whose disk takes two shards, and then fails.

    :param number: Of the system's error.
    """

    number: int = errno.ENOSPC

    def load(self, files: Any) -> Any:
        if ray.get_runtime_context().get_actor_id() is not None:  # and not the driver
            made.write_shard = _failing_after(2, self.number)
        return super().load(files)


def _failing_after(number: int, error: int) -> Any:
    write, left = made.write_shard, iter(range(number))

    def write_shard(*given: Any) -> Any:
        if next(left, None) is None:
            raise OSError(error, os.strerror(error))
        return write(*given)

    return write_shard


@pytest.mark.parametrize(
    ("number", "what"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "not writable for you")]
)
def test_a_node_whose_disk_fails_is_named_and_what_is_committed_is_kept(
    cluster: None, config: Any, tmp_path: Path, number: int, what: str, monkeypatch: Any
) -> None:
    monkeypatch.setitem(registry._registered["encoder"], "on_a_failing_disk", OnAFailingDisk)
    given = config | {"encoder": {"type": "on_a_failing_disk", "path": config["encoder"]["path"], "number": number}}
    with pytest.raises(StoreError, match=rf"(?s){what}.*\(on the node "):
        embedpipe.extract(given, tmp_path / "s.h5")
    kept = [json.loads(line)["name"] for line in (tmp_path / "s.h5.shards/manifest.jsonl").read_text().splitlines()[1:]]
    assert kept and all((tmp_path / "s.h5.shards" / name).exists() for name in kept)


def test_workers_that_no_node_has_room_for_are_refused(cluster: None, config: Any, tmp_path: Path) -> None:
    given = config | {"engine": {"type": "ray", "workers": 2, "gpus_per_worker": 1}}
    with pytest.raises(EmbedpipeError, match=r"no node .* 1 GPUs for one worker; .* 8 CPUs and 0 GPUs"):
        embedpipe.extract(given, tmp_path / "s.h5")


def test_a_cluster_that_is_not_there_is_an_error_before_anything_is_removed(
    config: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "s.h5.shards").mkdir()
        with pytest.raises(EmbedpipeError, match=rf"cannot reach Ray at {address}: .*refused.*ray start --head"):
            embedpipe.extract(config, tmp_path / "s.h5", address=address, restart=True)
    assert (tmp_path / "s.h5.shards").exists()


def test_without_ray_the_engine_says_what_to_install(config: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EmbedpipeError, match=r"pip install 'embedpipe\[ray\]'"):
        embedpipe.extract(config, tmp_path / "s.h5")
    assert not list(tmp_path.iterdir())


def test_a_driver_that_is_killed_leaves_nobody_and_is_gone_on_with(config: Any, expected: Any, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import embedpipe, os, signal\n"
        "def end(progress):\n"
        "    if progress.num_sentences > 500:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        f"embedpipe.extract({config!r}, {str(tmp_path / 's.h5')!r}, workers=1, on_progress=end)\n"
    )
    done = subprocess.run([sys.executable, str(script)], check=False, capture_output=True, text=True, timeout=90, cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert are_gone(tmp_path)
    with embedpipe.extract(config, tmp_path / "s.h5", engine="local", workers=1) as store:
        assert store.provenance["run"]["num_shards_kept"] > 0
    assert shards(tmp_path / "s.h5") == expected


def are_gone(folder: Path | None = None) -> bool:
    """Whether all of them have ended; Ray takes a moment."""
    deadline = time.monotonic() + 30
    while actors(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not actors(folder)


def actors(folder: Path | None = None) -> list[int]:
    """Processes that are workers of this process's Ray, or of one that was started in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_actor = (entry / "cmdline").read_bytes().startswith(b"ray::ShardActor")
            if is_actor and (Path.cwd() if folder is None else folder) == (entry / "cwd").readlink():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
