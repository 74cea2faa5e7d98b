"""What a store says of the run that made it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedpipe.dataflow import ReadLog
    from embedpipe.extraction import Embedder
    from embedpipe.store import ShardRecord

_PACKAGES = ("embedpipe", "torch", "transformers", "tokenizers", "allennlp-light", "h5py", "numpy")


def describe_run(
    embedder: Embedder,
    log: ReadLog,
    shards: Sequence[ShardRecord],
    times: Mapping[str, float],
    *,
    kept: Sequence[ShardRecord] = (),
) -> dict[str, Any]:
    """Encoder, tokenizer, windows, warnings of the corpus, versions, machine, times and rates.

    :param shards: All shards of the store.
    :param times: Seconds since the epoch: ``started``, ``encoding_started``, ``ended``, of the run that finished the store.
    :param kept: The shards that an earlier run had made already; they do not count for the rates.
    """
    seconds = max(times["ended"] - times["encoding_started"], 1e-9)
    num_words = sum(shard.num_words for shard in shards) - sum(shard.num_words for shard in kept)
    num_subwords = sum(shard.num_subwords for shard in shards) - sum(shard.num_subwords for shard in kept)
    return {
        "encoder": dict(embedder.encoder.description),
        "tokenizer": dict(embedder.tokenizer.description),
        "window": {"content": embedder.window_size.content, "overlap": embedder.window_size.overlap},
        "corpus_warnings": [
            {"kind": kind, "message": warning.message, "count": warning.count, "places": warning.places}
            for kind, warning in sorted(log.warnings.items())
        ],
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in _PACKAGES},
        "machine": {"system": platform.system(), "processor": platform.machine(), "num_cores": os.cpu_count()},
        "run": {
            "started": _iso(times["started"]),
            "ended": _iso(times["ended"]),
            "seconds": round(times["ended"] - times["started"], 3),
            "words_per_second": round(num_words / seconds, 1),
            "subwords_per_second": round(num_subwords / seconds, 1),
            "num_shards_kept": len(kept),
        },
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
