"""A corpus of one block is written once: into the store's one file, which is the same as if a shard had been in between."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from store_samples import IDENTITY, VIEWS, Sample, fixed_sample, identity_of, make_sample, samples

from embedpipe.dataflow import Block, Sentence, ViewInfo
from embedpipe.errors import NonFiniteError, StoreError
from embedpipe.store import StoreWriter, durable, open_store

SAMPLE = fixed_sample()


def last_block(sample: Sample = SAMPLE, start: int = 0) -> Block:
    return replace(sample.block(start, len(sample.sentences)), is_last=True)


def write(path: Path, block: Block, provenance: dict[str, Any] | None = None, **options: Any) -> Path:
    with StoreWriter(path, VIEWS, identity=IDENTITY, **options) as writer:
        writer.append(block, 0)
        return writer.finish(provenance or {"failures": writer.failures})


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(sample=samples().filter(lambda sample: sample.sentences))
@settings(deadline=None, max_examples=30)
def test_the_file_is_the_same_as_by_way_of_a_shard(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("held")
    block = replace(last_block(sample), failures={sample.sentences[0].id: "too hot"})
    held = write(folder / "held.h5", block)
    by_shard = write(folder / "shard.h5", replace(block, is_last=False))
    assert held.read_bytes() == by_shard.read_bytes()
    assert entries(folder) == ["held.h5", "shard.h5"]


def test_pairs_of_texts_are_the_same_too(tmp_path: Path) -> None:
    first, second = Sentence.from_words("a", "d", ["x", "y"]), Sentence.from_words("a", "d", ["z"])
    sample = make_sample([Sentence.pair(first, second, labels={"tag": ("t",) * 3}), Sentence.from_words("b", "d", ["w"])])
    held = write(tmp_path / "held.h5", last_block(sample))
    assert held.read_bytes() == write(tmp_path / "shard.h5", sample.block(0, 2)).read_bytes()
    with open_store(held) as store:
        assert [sentence.second_start for sentence in store] == [4, None]


def written_to(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the commit points say that is written from here on."""
    steps: list[str] = []
    monkeypatch.setattr(durable, "commit_point", steps.append)
    return steps


def test_nothing_but_the_store_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = written_to(monkeypatch)
    write(tmp_path / "s.h5", last_block())
    assert steps and all(step.endswith("store") for step in steps)


def test_a_store_that_shall_have_shards_gets_one(tmp_path: Path) -> None:
    write(tmp_path / "s.h5", last_block(), single_file=False)
    assert entries(tmp_path) == ["s.h5", "s.h5.shards"]


def test_the_last_of_several_blocks_is_a_shard(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        writer.append(SAMPLE.block(0, 5), 0)
        writer.append(last_block(start=5), 5)
        assert [shard.start for shard in writer.shards] == [0, 5]
        writer.finish({})


def test_what_is_added_to_a_store_is_a_shard(tmp_path: Path) -> None:
    path = SAMPLE.grow(tmp_path / "s.h5", (5,))
    with StoreWriter(path, VIEWS, identity=identity_of(1), grows_from=identity_of(0)) as writer:
        writer.append(last_block(start=5), 5)
        writer.finish({})
        assert [shard.start for shard in writer.shards] == [0, 5]


def test_no_block_comes_after_it(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", VIEWS) as writer:
        writer.append(last_block(), 0)
        other = make_sample([Sentence.from_words("other", "d", ["x"])])
        for start in (0, len(SAMPLE.sentences)):
            with pytest.raises(StoreError, match="some are committed already"):
                writer.append(other.block(0, 1), start)


def test_a_run_that_ends_before_it_is_written_leaves_nothing(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", VIEWS, identity=IDENTITY) as writer:
        writer.append(last_block(), 0)
    assert not (tmp_path / "s.h5").exists()
    with StoreWriter(tmp_path / "s.h5", VIEWS, identity=IDENTITY) as writer:
        assert writer.gaps() == [(0, None)]


def test_a_vector_that_is_not_finite_is_found_before_the_store_is_there(tmp_path: Path) -> None:
    block = last_block()
    rows = np.array(block.views["last"])
    rows[3, 2] = np.nan
    with (
        StoreWriter(tmp_path / "s.h5", VIEWS) as writer,
        pytest.raises(NonFiniteError, match=r"view 'last' of sentence .* is not finite"),
    ):
        writer.append(replace(block, views={**block.views, "last": rows}), 0)
        writer.finish({})
    assert not (tmp_path / "s.h5").exists()


def test_the_vectors_take_no_memory_any_more_when_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    num_sentences, size = 4096, 256
    views = {name: ViewInfo("sentence", size, (0,), "float32", name, "mean") for name in "abc"}
    rows = {name: np.ones((num_sentences, size), np.float32) for name in views}
    alive = [weakref.ref(each) for each in rows.values()]
    none, zeros = np.empty(0, np.int64), np.zeros(num_sentences, np.int64)
    sentences = tuple(Sentence.from_words(str(index), "d", []) for index in range(num_sentences))
    counts: dict[str, int] = {}
    monkeypatch.setattr(durable, "commit_point", lambda name: counts.update({name: sum(each() is not None for each in alive)}))
    with StoreWriter(tmp_path / "store.h5", views) as writer:
        writer.append(Block(sentences, zeros, none, zeros, none, none.reshape(0, 2), rows, is_last=True), 0)
        del rows
        writer.finish({})
    assert (counts["before write: store"], counts["after fsync: store"]) == (3, 0)
