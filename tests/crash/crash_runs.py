"""Runs of a process that can be killed, what to run, and what a run leaves."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py

NUM_SENTENCES = 40


class Server:
    """See crash_server.py."""

    def __init__(self, folder: Path) -> None:
        self.errors = folder / "errors.txt"
        command = [sys.executable, str(Path(__file__).with_name("crash_server.py"))]
        with self.errors.open("a") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def run(self, **request: Any) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "near", "river", "bank"]


def write_vectors(path: Path) -> dict[str, Any]:
    """Static vectors of all words: what is killed has then little more to do than to write.

    :returns: The encoder of a config.
    """
    rng = random.Random(3)
    path.write_text("".join(f"{word} {' '.join(f'{rng.uniform(-1, 1):.3f}' for _ in range(32))}\n" for word in WORDS))
    return {"type": "static", "path": str(path)}


def config_of(corpus: Path, encoder: dict[str, Any]) -> dict[str, Any]:
    """A config, and its corpus, that make four shards."""
    rng = random.Random(5)
    lines = [" ".join(rng.choices(WORDS, k=rng.randrange(0, 14))) for _ in range(NUM_SENTENCES)]
    corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "corpus": {"type": "words", "path": str(corpus)},
        "encoder": encoder,
        "views": {"last": {"layers": "last"}, "mean": {"layers": "embeddings", "unit": "sentence"}},
        "store": {"shard_size": 14_000},
    }


def run_whole(config: dict[str, Any], server: Server, folder: Path) -> tuple[dict[str, str], list[str]]:
    """What an uninterrupted run leaves, and the commit points that it passes."""
    answer = server.run(config=config, output=str(folder / "features.h5"))
    assert answer["status"] == 0, server.errors.read_text()
    return contents(folder), answer["points"]


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file, of the master the datasets but for the provenance, which has times, and the checksum of that."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if name != "features.h5":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            continue
        with h5py.File(path) as file:
            keys: list[str] = []
            file.visit(keys.append)
            found.update({f"{name}:{key}": digest(file[key]) for key in keys if key not in ("provenance", "checksums")})
    return found


def digest(item: Any) -> str:
    return hashlib.sha256(item[()].tobytes()).hexdigest() if isinstance(item, h5py.Dataset) else "group"
