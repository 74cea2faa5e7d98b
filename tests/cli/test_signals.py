"""Ctrl-C and SIGTERM, sent to a real process in the middle of its work."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

import embedpipe


@pytest.mark.parametrize(
    ("number", "status", "how"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_stopped_run_keeps_what_is_sealed_and_goes_on_from_there(number, status, how, workplace):
    corpus = {"type": "words", "path": str(workplace.corpus("the quick brown fox jumps over a lazy dog\n" * 6_000))}
    store = workplace.folder / "features.h5"
    config = workplace.config(corpus=corpus, store={"path": str(store), "shard_size": "256 KiB"})
    command = [sys.executable, "-m", "embedpipe", "extract", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    manifest = workplace.folder / "features.h5.shards" / "manifest.jsonl"
    deadline = time.monotonic() + 60
    while not (manifest.exists() and manifest.read_text().count("\n") >= 3) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    assert "What is sealed is kept; the same command goes on from there." in errors
    assert f"embedpipe: {how}" in errors and "Traceback" not in errors
    assert not store.exists()
    assert not list(manifest.parent.glob("*.partial")) and not (manifest.parent / "lock").exists()
    num_sealed = manifest.read_text().count("\n") - 1
    assert num_sealed >= 2
    with embedpipe.extract(config) as finished:
        assert len(finished) == 6_000
        assert finished.provenance["run"]["num_shards_kept"] == num_sealed
