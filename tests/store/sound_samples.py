"""Small stores without a fault, in one file or in shards, and ways to damage them while their checksums stay right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from embedpipe.dataflow import Block, Sentence, SentenceFlag, ViewInfo
from embedpipe.store import StoreWriter
from embedpipe.store.verify import PROVENANCE_KEYS

VIEWS = {
    "last": ViewInfo("word", 5, (3,), "float32", "last", "mean"),
    "half/all": ViewInfo("word", 3, (0, 1), "float16", "all", "first", stacked=True),
    "pieces": ViewInfo("subword", 2, (2, 3), "float32", "sum", None),
    "cls": ViewInfo("sentence", 4, (3,), "float32", "last", "cls"),
}
NUM_SENTENCES = 12
WORDS = ("Ångström", "in", "🙂", "東京", "a.b/c")
IDENTITY = {"fingerprint": "1f" * 32}
PROVENANCE = {**{key: {} for key in PROVENANCE_KEYS}, **IDENTITY}
Damage = Callable[[h5py.File], Any]


def sentence(index: int) -> Sentence:
    """Every fifth has no words, every third starts a document, every fourth lacks a label."""
    words = [WORDS[(index + k) % 5] for k in range(index % 5)]
    labels: dict[str, Any] = {"ner": tuple("B-LOC" if k % 2 else "O" for k in range(len(words)))}
    if index % 4 != 3:
        labels["genre"] = f"g{index % 2}"
    return Sentence.from_words(f"doc-{index // 3}/{index % 3}", f"doc-{index // 3}", words, labels=labels)


def block(start: int, stop: int, *, failed: Sequence[int] = ()) -> Block:
    """Sentences with none to two subwords a word.

    :param failed: Sentences without vectors.
    """
    rng = np.random.default_rng(start)
    sentences = [sentence(index) for index in range(start, stop)]
    lengths = [[(index + k) % 3 for k in range(len(sentence(index).words))] for index in range(start, stop)]
    word_flags = np.array([int(length == 0) for each in lengths for length in each], np.int64)
    flags = [
        SentenceFlag.EMPTY * (not each) | 4 * (0 in each) | 32 * (index in failed) for index, each in enumerate(lengths, start)
    ]
    offsets = [pair for each in lengths for pair in pairwise(np.cumsum([0, *each]))]
    num_subwords = np.array([sum(each) for each in lengths], np.int64)
    counts = {"word": len(word_flags), "subword": int(num_subwords.sum()), "sentence": stop - start}
    views = {name: rng.normal(size=(counts[info.unit], *info.row_shape)).astype(info.dtype) for name, info in VIEWS.items()}
    sentence_of_word = np.repeat(np.arange(start, stop), [len(each) for each in lengths])
    for name, info in VIEWS.items():
        if info.unit == "word":
            views[name][(word_flags > 0) | np.isin(sentence_of_word, failed)] = 0
    return Block(
        tuple(sentences),
        np.array(flags, np.int64),
        word_flags,
        num_subwords,
        rng.integers(0, 30522, counts["subword"]),
        np.array(offsets, np.int64).reshape(-1, 2),
        views,
    )


def write(
    path: Path,
    bounds: Sequence[int] = (0, NUM_SENTENCES),
    *,
    provenance: Mapping[str, Any] = PROVENANCE,
    identity: Mapping[str, Any] = IDENTITY,
    failed: Sequence[int] = (),
    single_file: bool = True,
) -> Path:
    """Write a store; with more than two bounds it has shards."""
    with StoreWriter(path, VIEWS, identity=identity, single_file=single_file) as writer:
        for start, stop in pairwise(bounds):
            writer.append(block(start, stop, failed=failed), start)
        return writer.finish(provenance)


def write_unfinished(path: Path, bounds: Sequence[int]) -> Path:
    """What a run leaves that ends before its end."""
    with StoreWriter(path, VIEWS, identity=IDENTITY) as writer:
        for start, stop in pairwise(bounds):
            writer.append(block(start, stop), start)
    return path


def shard(path: Path, number: int) -> Path:
    """The file of a shard."""
    return path.with_name(f"{path.name}.shards") / f"{number:06}.h5"


def change(path: Path, damage: Damage) -> None:
    """Damage a file with h5py."""
    with h5py.File(path, "r+", locking=False) as file:
        damage(file)


def reseal(path: Path, number: int) -> None:
    """Bring table and manifest up to date with a shard that was changed, as a forger would."""
    data = shard(path, number).read_bytes()
    new = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def update(file: h5py.File) -> None:
        table = json.loads(file["shards"][()].tobytes())
        table["shards"][number] |= new
        del file["shards"]
        file["shards"] = np.frombuffer(json.dumps(table).encode(), np.uint8)

    change(path, update)
    manifest = shard(path, number).with_name("manifest.jsonl")
    lines = manifest.read_text().splitlines()
    lines[number + 1] = json.dumps(json.loads(lines[number + 1]) | new)
    manifest.write_text("\n".join(lines) + "\n")


def edit(name: str, index: Any, value: Any) -> Damage:
    """Change numbers of a dataset."""

    def damage(file: h5py.File) -> None:
        file[name][index] = value

    return damage


def replace(name: str, data: Any) -> Damage:
    """Put other data in the place of a dataset."""

    def damage(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = data
        file[name].attrs.update(attributes)

    return damage


def swap(name: str, first: int, second: int) -> Damage:
    """Exchange two rows of a dataset."""

    def damage(file: h5py.File) -> None:
        rows = file[name][()]
        rows[[first, second]] = rows[[second, first]]
        file[name][...] = rows

    return damage
