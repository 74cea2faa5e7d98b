"""What a store says of the run that made it."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedpipe.dataflow import ReadLog
    from embedpipe.extraction import Embedder, Progress

_PACKAGES = ("embedpipe", "torch", "transformers", "tokenizers", "allennlp-light", "h5py", "numpy")


def describe_run(embedder: Embedder, log: ReadLog, done: Progress, times: Mapping[str, float]) -> dict[str, Any]:
    """Encoder, tokenizer, windows, warnings of the corpus, versions, machine, times and rates.

    :param times: Seconds since the epoch: ``started``, ``encoding_started``, ``ended``.
    """
    seconds = times["ended"] - times["encoding_started"]
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
        "machine": {"system": platform.system(), "processor": platform.machine()},
        "run": {
            "started": _iso(times["started"]),
            "ended": _iso(times["ended"]),
            "seconds": round(times["ended"] - times["started"], 3),
            "words_per_second": round(done.num_words / max(seconds, 1e-9), 1),
            "subwords_per_second": round(done.num_subwords / max(seconds, 1e-9), 1),
        },
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
