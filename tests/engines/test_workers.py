"""Several processes make one store: the same bytes as one process, whoever is killed on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import embedpipe
from embedpipe.config import load_config
from embedpipe.engines.identity import Identity
from embedpipe.errors import ConfigError, EmbedpipeError, NonFiniteError

WORDS = ("Ada", "met", "Bo", "in", "Oslo", "where", "the", "river", "bends", "and", "nobody", "asked", "why", "it", "rained")


def text(num_documents: int) -> str:
    """Documents of unlike sentences, a blank line after each."""
    sentences = (" ".join(WORDS[number % 5 : 3 + number % 11]) + f" {number}" for number in range(num_documents * 3))
    return "".join(f"{sentence}\n" + "\n" * (number % 3 == 2) for number, sentence in enumerate(sentences))


def write_vectors(path: Path, num_words: int) -> None:
    """Static vectors: processes that need no transformer start in half the time."""
    numbers = (
        f"{word} {' '.join(f'{(7 * row + 3 * column) % 11 - 5}' for column in range(16))}"
        for row, word in enumerate((*WORDS, *map(str, range(num_words))))
    )
    path.write_text("\n".join(numbers), encoding="utf-8")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "c.txt").write_text(text(60), encoding="utf-8")
    write_vectors(folder / "v.txt", 180)
    return {
        "corpus": {"type": "words", "path": str(folder / "c.txt")},
        "encoder": {"type": "static", "path": str(folder / "v.txt")},
        "views": {"last": {"layers": "last"}, "all": {"layers": "last", "unit": "sentence"}},
        "store": {"shard_size": 9000},
    }


@pytest.fixture(scope="module")
def in_context(config: dict[str, Any], tiny_model: Any) -> dict[str, Any]:
    """With an encoder that sees a sentence beside those of its document."""
    encoder = {"type": "transformer", "model": str(tiny_model("bert")), "device": "cpu"}
    return config | {"encoder": encoder, "context": {"type": "document", "window": 24}}


@pytest.fixture(scope="module")
def expected(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("one") / "s.h5"
    embedpipe.extract(config, path).close()
    return shards(path)


def shards(path: Path) -> dict[str, bytes]:
    """The shards, and the lines of the manifest in any order."""
    folder = path.with_name(path.name + ".shards")
    files = {file.name: file.read_bytes() for file in folder.glob("*.h5")}
    manifest = sorted((folder / "manifest.jsonl").read_bytes().splitlines())
    assert {entry.name for entry in folder.iterdir()} <= {*files, "manifest.jsonl", "lock"}, "nothing is left over"
    return files | {"manifest": b"\n".join(manifest)}


def test_two_processes_make_the_same_bytes_as_one(in_context: Any, tmp_path: Path) -> None:
    seen = []
    embedpipe.extract(in_context, tmp_path / "one.h5").close()
    with embedpipe.extract(in_context, tmp_path / "s.h5", workers=2, on_progress=seen.append) as store:
        num_sentences = len(store)
        assert len(store.shards) > 6 and not multiprocessing.active_children()
        assert store.provenance["run"]["words_per_second"] > 0 and store.provenance["encoder"]["device"] == "cpu"
    assert shards(tmp_path / "s.h5") == shards(tmp_path / "one.h5")
    assert (seen[-1].num_sentences, seen[-1].done_bytes) == (num_sentences, seen[-1].size_bytes)
    assert [each.done_bytes for each in seen] == sorted(each.done_bytes for each in seen)


def test_killed_processes_are_replaced_and_the_bytes_are_the_same(config: Any, expected: Any, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(progress: Any) -> None:
        if len(killed) < 3 and progress.num_sentences >= 40 * len(killed):
            victim = multiprocessing.active_children()[len(killed) % 2]
            os.kill(victim.pid, signal.SIGKILL)
            killed.append(victim.pid)

    embedpipe.extract(config, tmp_path / "s.h5", workers=2, on_progress=kill_one).close()
    assert len(set(killed)) == 3
    assert shards(tmp_path / "s.h5") == expected


def test_too_many_that_are_killed_are_an_error_and_one_process_goes_on(config: Any, expected: Any, tmp_path: Path) -> None:
    def kill_one(progress: Any) -> None:
        if progress.num_sentences:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    given = config | {"engine": {"type": "local", "workers": 2, "max_retries": 0}}
    with pytest.raises(EmbedpipeError, match=r"(?s)was killed \(SIGKILL\) at .*take fewer workers"):
        embedpipe.extract(given, tmp_path / "s.h5", on_progress=kill_one)
    assert not multiprocessing.active_children()
    with embedpipe.extract(config, tmp_path / "s.h5") as store:
        assert store.provenance["run"]["num_shards_kept"] > 0
    assert shards(tmp_path / "s.h5") == expected


def test_when_the_first_process_is_killed_all_end_and_another_one_goes_on(config: Any, expected: Any, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import embedpipe, os, signal\n"
        "def end(progress):\n"
        "    if progress.num_sentences > 30:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        'if __name__ == "__main__":\n'
        f"    embedpipe.extract({config!r}, {str(tmp_path / 's.h5')!r}, workers=2, on_progress=end)\n"
    )
    done = subprocess.run([sys.executable, str(script)], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    deadline = time.monotonic() + 20
    while _others_of(script) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _others_of(script)
    with embedpipe.extract(config, tmp_path / "s.h5") as store:
        assert store.provenance["run"]["num_shards_kept"] > 0
    assert shards(tmp_path / "s.h5") == expected


def _others_of(script: Path) -> list[str]:
    """Processes that were started by a script; they have its folder's name in their environment."""
    mark = f"PWD={script.parent}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0") and int(entry.name) != os.getpid():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_what_is_irregular_in_the_corpus_is_told_as_by_one_process(config: Any, tmp_path: Path) -> None:
    lines = [f"{WORDS[number % 7]}\tO\n" + ("\n", " \n", "\n \n")[number % 3] for number in range(120)]
    (tmp_path / "c.conll").write_text("".join(lines) + " \n", encoding="utf-8")
    given = config | {"corpus": {"type": "conll2003", "path": str(tmp_path / "c.conll")}, "store": {"shard_size": 1500}}
    with embedpipe.extract(given, tmp_path / "one.h5") as one, embedpipe.extract(given, tmp_path / "s.h5", workers=2) as store:
        (warning,) = store.provenance["corpus_warnings"]
        assert len(store.shards) > 5 and warning["count"] == 81
        assert store.provenance["corpus_warnings"] == one.provenance["corpus_warnings"]


def test_what_is_raised_in_a_process_is_raised_here(config: Any, tmp_path: Path) -> None:
    too_large = {"layers": {"type": "weighted_sum", "layers": [0], "weights": [1e30]}}
    given = config | {"views": {"last": too_large}, "store": {"dtype": "float16"}}
    with pytest.raises(NonFiniteError, match="view 'last'"):
        embedpipe.extract(given, tmp_path / "s.h5", workers=2)
    assert not multiprocessing.active_children() and not (tmp_path / "s.h5").exists()


def test_in_two_processes_a_store_of_one_shard_is_one_file_and_grows(config: Any, tmp_path: Path) -> None:
    corpus = tmp_path / "c.txt"
    given = config | {"corpus": {"type": "words", "path": str(corpus)}}
    for path, workers in ((tmp_path / "one.h5", 1), (tmp_path / "two.h5", 2)):
        corpus.write_text(text(10), encoding="utf-8")
        embedpipe.extract(given | {"store": {}}, path, workers=workers).close()
        assert not path.with_name(path.name + ".shards").exists()
        corpus.write_text(text(30), encoding="utf-8")
        embedpipe.extract(given | {"store": {}}, path, workers=workers, append=True).close()
    assert shards(tmp_path / "one.h5") == shards(tmp_path / "two.h5")


def test_where_it_runs_is_no_part_of_what_a_store_is(config: Any) -> None:
    elsewhere = config | {"engine": {"type": "local", "workers": 7}}
    assert Identity.of(load_config(config)) == Identity.of(load_config(elsewhere))


def test_an_encoder_that_carries_a_state_takes_one_process(config: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("embedpipe.engines.loading.batch_sentences", lambda encoder: 4)
    with pytest.raises(ConfigError, match=r"engine: .*stateful: true"):
        embedpipe.extract(config, tmp_path / "s.h5", workers=2)
