"""The store's own speed, beside raw files and beside one HDF5 dataset a sentence (the layout of other tools), in one run.

    python benchmarks/store_io.py [--sentences 40000] [--large 10000000] [--repeats 3] [--folder DIR] [--json FILE]

All figures are ratios of the fastest runs, which take turns: whatever else a shared machine and disk do can only slow a run
down. More is better everywhere but for ``overlap``.

- append: bytes a second of StoreWriter (shards sealed, fsync and all) / of writing and fsyncing the same bytes to raw files
- scan: reading a whole view piece by piece / reading the same bytes from a raw file into numpy
- random_sentences_vs_datasets, random_sentences_vs_memmap: vectors of single sentences, in random order
- shuffled_batches_vs_datasets: batches of 32 sentences in random order, read together
- open_seconds, open_megabytes: opening a store of --large sentences, in a process of its own
- overlap: extracting six views in float16 with a real encoder / the longer of encoding alone and writing alone; in shards of
  a sixteenth of the usual size, so that there are some to overlap with
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import embedpipe
from embedpipe.corpus import Conll2003
from embedpipe.dataflow import Block, ReadLog, Sentence, ViewInfo
from embedpipe.extraction import extract
from embedpipe.store import StoreWriter, open_store

VECTOR_SIZE = 768
SHARD_BYTES = 256 * 2**20
SIX = ("embeddings", "last", "second_to_last", "sum_last_four", "concat_last_four", "sum_all")
VIEW = {"last": ViewInfo("word", VECTOR_SIZE, (12,), "float16", "last", "first")}


def fastest(turns: int, before: Callable[[], Any] = lambda: None, **runs: Callable[[], Any]) -> dict[str, float]:
    """Seconds of the fastest of each run; they take turns, each second turn the other way round.

    :param before: Called before each run, and not timed.
    """
    seconds = dict.fromkeys(runs, float("inf"))
    for turn in range(turns):
        for name in list(runs)[:: 1 if turn % 2 else -1]:
            before()
            started = time.perf_counter()
            runs[name]()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds


def block_of(first: int, lengths: np.ndarray, views: dict[str, np.ndarray]) -> Block:
    """Sentences of one-letter words."""
    sentences = tuple(Sentence.from_words(f"s{first + i}", "d", ["w"] * length) for i, length in enumerate(lengths.tolist()))
    num_words = int(lengths.sum())
    within = np.concatenate([np.arange(length) for length in lengths]) if num_words else np.empty(0, np.int64)
    zeros = np.zeros(len(lengths), np.int64)
    offsets = np.stack([within, within + 1], axis=1)
    return Block(sentences, zeros, np.zeros(num_words, np.int64), lengths, np.ones(num_words, np.int64), offsets, views)


def make_blocks(num_sentences: int) -> list[Block]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 45, num_sentences)
    a_shard = SHARD_BYTES // (VECTOR_SIZE * 2 * 23)
    blocks = []
    for first in range(0, num_sentences, a_shard):
        part = lengths[first : first + a_shard]
        vectors = rng.standard_normal((int(part.sum()), VECTOR_SIZE), dtype=np.float32).astype(np.float16)
        blocks.append(block_of(first, part, {"last": vectors}))
    return blocks


def write_store(path: Path, blocks: list[Block], views: dict[str, ViewInfo] = VIEW) -> None:
    with StoreWriter(path, views, single_file=False, restart=True) as writer:
        first = 0
        for block in blocks:
            writer.append(block, first)
            first += len(block.sentences)
        writer.finish({})


def write_raw(folder: Path, sizes: list[int], data: memoryview) -> None:
    """As many files of the same sizes, each synced, as the shards are."""
    for number, size in enumerate(sizes):
        with (folder / f"{number}.raw").open("wb", buffering=0) as file:
            rest = size
            while rest:
                rest -= file.write(data[: min(rest, len(data))])
            os.fsync(file.fileno())


def append_ratio(folder: Path, blocks: list[Block], repeats: int) -> dict[str, float]:
    store = folder / "append.h5"
    write_store(store, blocks)
    sizes = [path.stat().st_size for path in sorted((folder / "append.h5.shards").glob("*.h5"))]
    data = memoryview(np.concatenate([block.views["last"].reshape(-1) for block in blocks[:1]]).view(np.uint8))
    raw = folder / "raw"
    raw.mkdir()

    def remove() -> None:
        for path in (store, *raw.glob("*")):
            path.unlink(missing_ok=True)
        shutil.rmtree(folder / "append.h5.shards", ignore_errors=True)
        os.sync()

    seconds = fastest(6 * repeats, remove, raw=lambda: write_raw(raw, sizes, data), store=lambda: append_all(store, blocks))
    return {"append": seconds["raw"] / seconds["store"], "append_megabytes_per_second": sum(sizes) / seconds["store"] / 1e6}


def append_all(path: Path, blocks: list[Block]) -> None:
    """Seal every shard; the master file, which is written once for the whole store, is left out."""
    with StoreWriter(path, VIEW, single_file=False) as writer:
        first = 0
        for block in blocks:
            writer.append(block, first)
            first += len(block.sentences)


def read_ratios(folder: Path, blocks: list[Block], repeats: int) -> dict[str, float]:
    write_store(folder / "store.h5", blocks)
    rows = np.concatenate([block.views["last"] for block in blocks])
    rows.tofile(folder / "rows.raw")
    lengths = np.concatenate([block.num_subwords for block in blocks])
    ends = np.cumsum(lengths)
    with h5py.File(folder / "datasets.h5", "w") as file:
        for number, end in enumerate(ends):
            file.create_dataset(str(number), data=rows[end - lengths[number] : end])
    memmap = np.memmap(folder / "rows.raw", dtype=np.float16, mode="r", shape=rows.shape)
    order = np.random.default_rng(1).permutation(len(lengths))[:4096]
    with open_store(folder / "store.h5") as store, h5py.File(folder / "datasets.h5") as datasets:
        matrix = store.matrix("last")
        buffer = np.empty((16384, VECTOR_SIZE), np.float16)

        def scan_store() -> None:
            for start in range(0, len(matrix), len(buffer)):
                matrix[start : start + len(buffer)]

        def scan_raw() -> None:
            with (folder / "rows.raw").open("rb", buffering=0) as file:
                while file.readinto(np.empty_like(buffer)):
                    pass

        def batches(read: Callable[[np.ndarray], Any]) -> None:
            for start in range(0, len(order), 32):
                read(order[start : start + 32])

        def batch_of_store(numbers: np.ndarray) -> Any:
            return matrix[np.concatenate([np.arange(ends[n] - lengths[n], ends[n]) for n in numbers])]

        seconds = fastest(
            repeats + 1,
            scan_store=scan_store,
            scan_raw=scan_raw,
            one_store=lambda: [store.vectors("last", int(n)) for n in order],
            one_dataset=lambda: [datasets[str(n)][()] for n in order],
            one_memmap=lambda: [np.array(memmap[ends[n] - lengths[n] : ends[n]]) for n in order],
            batch_store=lambda: batches(batch_of_store),
            batch_dataset=lambda: batches(lambda numbers: np.concatenate([datasets[str(n)][()] for n in numbers])),
        )
    return {
        "scan": seconds["scan_raw"] / seconds["scan_store"],
        "random_sentences_vs_datasets": seconds["one_dataset"] / seconds["one_store"],
        "random_sentences_vs_memmap": seconds["one_memmap"] / seconds["one_store"],
        "random_sentences_per_second": len(order) / seconds["one_store"],
        "shuffled_batches_vs_datasets": seconds["batch_dataset"] / seconds["batch_store"],
    }


def large_blocks(num_sentences: int) -> Iterator[Block]:
    a_shard = 65_536
    for first in range(0, num_sentences, a_shard):
        lengths = np.ones(min(a_shard, num_sentences - first), np.int64)
        yield block_of(first, lengths, {"tiny": np.ones((len(lengths), 1), np.float16)})


OPEN = """
import resource, sys, time
import embedpipe.store, h5py, numpy
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
store = embedpipe.store.open_store(sys.argv[1])
len(store), store.views, store[len(store) // 2].id
print(time.perf_counter() - started, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def open_figures(folder: Path, num_sentences: int) -> dict[str, float]:
    path = folder / "large.h5"
    with StoreWriter(path, {"tiny": ViewInfo("word", 1, (0,), "float16", "x", "first")}, single_file=False) as writer:
        first = 0
        for block in large_blocks(num_sentences):
            writer.append(block, first)
            first += len(block.sentences)
        writer.finish({})
    runs = []
    for _ in range(5):
        printed = subprocess.run([sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, check=True).stdout
        runs.append(tuple(map(float, printed.split())))
    seconds, megabytes = map(statistics.median, zip(*runs, strict=True))
    return {"open_sentences": num_sentences, "open_seconds": seconds, "open_megabytes": megabytes}


def overlap_ratio(folder: Path, repeats: int) -> dict[str, float]:
    embedder = embedpipe.load_embedder(
        {
            "corpus": {"type": "conll2003", "path": "sample:sample.conll"},
            "encoder": {"type": "transformer", "model": "minilm", "device": "cpu"},
            "views": {name: {"layers": name} for name in SIX},
            "store": {"shard_size": "16 MiB", "dtype": "float16"},
        }
    )
    sample = list(Conll2003("sample:sample.conll").sentences(ReadLog()))
    sentences = [
        Sentence.from_words(str(number), sentence.document, sentence.words)
        for number, sentence in enumerate(itertools.islice(itertools.cycle(sample), 2400))
    ]
    blocks = list(embedder.embed(sentences))

    def writer() -> StoreWriter:
        return StoreWriter(folder / "overlap.h5", embedder.view_infos, single_file=False, restart=True)

    def write() -> None:
        with writer() as opened:
            first = 0
            for block in blocks:
                opened.append(block, first)
                first += len(block.sentences)

    def both() -> None:
        with writer() as opened:
            extract(sentences, embedder, opened, ReadLog(), lambda progress: None)

    seconds = fastest(repeats + 1, encode=lambda: [None for _ in embedder.embed(sentences)], write=write, both=both)
    return {"overlap": seconds["both"] / max(seconds["encode"], seconds["write"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=40_000)
    parser.add_argument("--large", type=int, default=10_000_000, help="0 leaves that part out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write; about 6 GB, removed at the end")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    blocks = make_blocks(arguments.sentences)
    for measure in (
        lambda folder: append_ratio(folder, blocks[:2], arguments.repeats),
        lambda folder: read_ratios(folder, blocks, arguments.repeats),
        lambda folder: overlap_ratio(folder, arguments.repeats),
        lambda folder: open_figures(folder, arguments.large) if arguments.large else {},
    ):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            figures |= measure(Path(folder))
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
