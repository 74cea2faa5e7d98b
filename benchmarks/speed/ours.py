"""embedpipe, end to end: a corpus file in, a sealed store out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedpipe.config import load_config
from embedpipe.dataflow import Batch, HiddenStates, ReadLog
from embedpipe.extraction import Embedder, extract
from embedpipe.job import Job
from embedpipe.store import StoreWriter
from embedpipe.store.manifest import shards_folder
from speed.turns import Run

ONE = ("last",)
SIX = ("embeddings", "last", "second_to_last", "sum_last_four", "concat_last_four", "sum_all")


@dataclass(frozen=True)
class Extraction:
    """A corpus file, a model and what is stored of it."""

    corpus: Path
    model: str = "minilm"
    precision: str = "float32"
    views: tuple[str, ...] = SIX
    shard_size: str = "256 MiB"
    device: str = "cpu"

    def job(self) -> Job:
        """What a config of it means."""
        config = {
            "corpus": {"type": "jsonl", "path": str(self.corpus), "words": "words"},
            "encoder": {"type": "transformer", "model": self.model, "precision": self.precision, "device": self.device},
            "views": {view: {"layers": view} for view in self.views},
            "store": {"dtype": "float16", "shard_size": self.shard_size},
        }
        return load_config(config).job

    def run(self, store: Path) -> Run:
        """Extract to a path. Before the clock starts, what the last turn has left there is removed, and tokenizer and encoder
        are loaded anew, so that nothing is kept in them.
        """

        def once() -> float:
            job = self.job()
            embedder = job.load()
            store.unlink(missing_ok=True)
            shutil.rmtree(shards_folder(store), ignore_errors=True)
            started = time.perf_counter()
            write_store(job, embedder, store)
            return time.perf_counter() - started

        return once

    def windows(self) -> list[list[int]]:
        """The subwords that the encoder sees, special ones too: a list of ids for each window."""
        job = self.job()
        embedder = job.load()
        subwords = embedder.tokenizer.tokenize(job.corpus.sentences(ReadLog()))
        windowed = embedder.context.windows(subwords, embedder.window_size, embedder.tokenizer.special)
        return [window.input_ids.tolist() for sentence in windowed for window in sentence.windows]

    def padding(self, store: Path) -> float:
        """Share of padding in what the encoder gets."""
        job = self.job()
        embedder = job.load()
        counts: list[tuple[int, int]] = []  # batches are encoded side by side
        encode = embedder.encoder.encode

        def counted(batch: Batch, layers: Sequence[int]) -> HiddenStates:
            counts.append((int(batch.attention_mask.sum()), batch.attention_mask.numel()))
            return encode(batch, layers)

        embedder.encoder.encode = counted  # type: ignore[method-assign, assignment]
        write_store(job, embedder, store)
        num_real, num_all = map(sum, zip(*counts, strict=True))
        return 1 - num_real / num_all


def write_store(job: Job, embedder: Embedder, store: Path) -> dict[str, Any]:
    """What the command does once the encoder is loaded."""
    log = ReadLog()
    with StoreWriter(store, embedder.view_infos, single_file=job.store.single_file, restart=True) as writer:
        extract(job.corpus.sentences(log), embedder, writer, log, lambda progress: None)
        writer.finish({})
    return {"num_shards": len(writer.shards)}
