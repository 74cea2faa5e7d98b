"""What the one who commits has to do, where many make the shards of one store: its own time a shard, as the store grows.

    python benchmarks/driver.py [--shards 100000] [--workers 64] [--seconds-a-shard 10] [--folder DIR] [--json FILE]

The shards are tiny and real. A few processes make them, in place of --workers machines with an encoder, and they are committed
as a real run does it: announced in the order of the corpus, as many at a time as there are workers, and committed in whatever
order they come. Only the driver's part counts: hearing of a shard (its message is unpickled), announcing, committing it. Then
the unfinished store is gone on with, finished, opened and read. JSON on standard output, a table beside it:

- tenths: for each tenth of the run, CPU and wall time of the driver in milliseconds a shard (medians, means, the 99th of a
  hundred), and its memory. fsync makes the difference between the two
- growth: CPU a shard in the last tenth / in the second one (the first has to warm up)
- share: of a core of the driver, with so many workers and encoders that need --seconds-a-shard for each
- most_workers: with which the driver would have all of a core to do
- again, finish: seconds of a writer that goes on with all of the shards, and of finishing the store; its peak memory
- open_seconds, open_megabytes, read_milliseconds: of the finished store in a process of its own; vectors of single sentences in
  random order, nearly each from a shard that was not open
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import pickle
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from speed.turns import say

from embedpipe.dataflow import Block, Sentence, ViewInfo
from embedpipe.store import CheckedBlock, ShardMaker, StoreWriter

VIEW = {"last": ViewInfo("word", 4, (6,), "float16", "last", "first")}
WORDS = 3
TENTHS = 10
AHEAD = 64
"""Shards that are made at a time: nothing but the number of messages."""


@dataclass
class Taken:
    """Seconds of the driver, one entry a shard."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


def make(maker: ShardMaker, starts: Sequence[int], size: int) -> list[bytes]:
    """Make shards, as other processes do, and what they send of them."""
    return [pickle.dumps(maker.make(CheckedBlock.of(block_of(start, size), start, maker.views))) for start in starts]


def block_of(start: int, size: int) -> Block:
    """Sentences of one-letter words."""
    sentences = tuple(Sentence.from_words(f"doc-{start}/{start + i}", f"doc-{start}", ["w"] * WORDS) for i in range(size))
    within = np.tile(np.arange(WORDS), size)
    zeros, lengths = np.zeros(size, np.int64), np.full(size, WORDS)
    vectors = np.full((WORDS * size, 4), start % 1000, np.float16)
    return Block(
        sentences,
        zeros,
        np.zeros(WORDS * size, np.int64),
        lengths,
        np.ones(WORDS * size, np.int64),
        np.stack([within, within + 1], axis=1),
        {"last": vectors},
    )


def commit_all(writer: StoreWriter, makers: ProcessPoolExecutor, options: argparse.Namespace) -> Taken:
    """Announce and commit every shard, in random order within a window of as many as there are workers."""
    taken, at_work, order = Taken(), [], random.Random(0)
    for number, message in enumerate(messages(writer, makers, options)):
        start = number * options.sentences
        cpu, wall = time.thread_time(), time.perf_counter()
        writer.announce(start)
        clock = time.thread_time() - cpu, time.perf_counter() - wall
        at_work.append((message, clock))
        if len(at_work) >= options.workers:
            commit(writer, at_work.pop(order.randrange(len(at_work))), taken)
    while at_work:
        commit(writer, at_work.pop(order.randrange(len(at_work))), taken)
    return taken


def commit(writer: StoreWriter, announced: tuple[bytes, tuple[float, float]], taken: Taken) -> None:
    """Commit one shard, and note what that took together with announcing it."""
    message, (cpu, wall) = announced
    cpu_before, wall_before = time.thread_time(), time.perf_counter()
    writer.commit(pickle.loads(message))
    taken.cpu.append(cpu + time.thread_time() - cpu_before)
    taken.wall.append(wall + time.perf_counter() - wall_before)
    taken.megabytes.append(megabytes_now())


def messages(writer: StoreWriter, makers: ProcessPoolExecutor, options: argparse.Namespace) -> Iterator[bytes]:
    """What is heard of each shard, in the order of the corpus; shards are made a little ahead."""
    starts = range(0, options.shards * options.sentences, options.sentences)
    parts = [starts[first : first + AHEAD] for first in range(0, len(starts), AHEAD)]
    waiting = [makers.submit(make, writer.maker, part, options.sentences) for part in parts[:4]]
    for index in range(len(parts)):
        yield from waiting.pop(0).result()
        waiting += [makers.submit(make, writer.maker, part, options.sentences) for part in parts[index + 4 : index + 5]]


def megabytes_now() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def tenths_of(taken: Taken) -> list[dict[str, float]]:
    """Milliseconds a shard in each tenth of the run."""
    borders = [len(taken.cpu) * part // TENTHS for part in range(TENTHS + 1)]
    tenths = []
    for first, end in itertools.pairwise(borders):
        cpu, wall = (sorted(1e3 * value for value in values[first:end]) for values in (taken.cpu, taken.wall))
        tenths.append(
            {
                "shards": end,
                "cpu_median": statistics.median(cpu),
                "cpu_mean": statistics.fmean(cpu),
                "cpu_99": cpu[int(0.99 * len(cpu))],
                "wall_median": statistics.median(wall),
                "wall_mean": statistics.fmean(wall),
                "megabytes": max(taken.megabytes[first:end]),
            }
        )
    return tenths


def timed(work: Any) -> dict[str, float]:
    """Seconds of CPU, of all threads, and wall."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


READ = """
import json, os, random, sys, time
from embedpipe.store import open_store
import h5py
def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
before = megabytes()
started = time.perf_counter()
store = open_store(sys.argv[1])
opened = time.perf_counter() - started
held = megabytes() - before
order = random.Random(0)
indexes = [order.randrange(len(store)) for _ in range(1000)]
started = time.perf_counter()
for index in indexes:
    assert (store.vectors("last", index) == index // int(sys.argv[2]) * int(sys.argv[2]) % 1000).all()
read = time.perf_counter() - started
print(json.dumps({"open_seconds": opened, "open_megabytes": held, "read_milliseconds": read}))
"""


def read_figures(path: Path, size: int) -> dict[str, float]:
    """Of three processes, the medians."""
    command = [sys.executable, "-c", READ, str(path), str(size)]
    runs = [json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def measure(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Commit, go on, finish, read."""
    figures: dict[str, Any] = {"shards": options.shards, "sentences_a_shard": options.sentences, "workers": options.workers}
    with (
        ProcessPoolExecutor(options.makers, multiprocessing.get_context("spawn")) as makers,
        StoreWriter(path, VIEW, identity={"benchmark": "driver"}) as writer,
    ):
        figures["tenths"] = tenths_of(commit_all(writer, makers, options))
    cpu = [tenth["cpu_mean"] for tenth in figures["tenths"]]
    figures["growth"] = cpu[-1] / cpu[1]
    figures["share"] = cpu[-1] / 1e3 * options.workers / options.seconds_a_shard
    figures["most_workers"] = options.seconds_a_shard / (cpu[-1] / 1e3)
    say(table(figures, options))
    with ExitStack() as stack:
        writer = StoreWriter(path, VIEW, identity={"benchmark": "driver"})
        figures["again"] = timed(lambda: stack.enter_context(writer))
        say(f"gone on with: {figures['again']}")
        figures["finish"] = timed(lambda: writer.finish({}))
        say(f"finished: {figures['finish']}")
    figures["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["master_megabytes"] = path.stat().st_size / 1e6
    return figures | read_figures(path, options.sentences)


def table(figures: dict[str, Any], options: argparse.Namespace) -> str:
    """For the terminal."""
    columns = ("cpu_median", "cpu_mean", "cpu_99", "wall_median", "wall_mean", "megabytes")
    lines = [f"{'shards':>9}" + "".join(f"{name:>13}" for name in columns)]
    lines += [f"{tenth['shards']:>9,}" + "".join(f"{tenth[name]:>13.3f}" for name in columns) for tenth in figures["tenths"]]
    lines.append(
        f"{options.workers} workers of {options.seconds_a_shard:g} s a shard: {100 * figures['share']:.2g} % of a core; a "
        f"whole one with {figures['most_workers']:,.0f} workers. Last tenth / second: {figures['growth']:.2f}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=100_000)
    parser.add_argument("--sentences", type=int, default=4, help="of each shard")
    parser.add_argument("--workers", type=int, default=64, help="shards that are at work at a time")
    parser.add_argument("--seconds-a-shard", type=float, default=10, help="what an encoder would take for each")
    parser.add_argument("--makers", type=int, default=2, help="processes that make the tiny shards")
    parser.add_argument("--folder", type=Path, help="where to write; 10 KB a shard, removed at the end")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(Path(folder) / "store.h5", options)
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
