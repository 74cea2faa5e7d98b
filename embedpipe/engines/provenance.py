"""What a store says of the run that made it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from embedpipe.dataflow import ReadLog

if TYPE_CHECKING:
    from embedpipe.extraction import Embedder
    from embedpipe.store import EarlierRun

_PACKAGES = ("embedpipe", "torch", "transformers", "tokenizers", "allennlp-light", "h5py", "numpy")


@dataclass
class Done:
    """What a run has done.

    :param encoder: The description of the encoder.
    :param num_words: That were embedded; the rates are of them.
    :param log: Of a whole reading of the corpus.
    """

    encoder: Mapping[str, Any] = field(default_factory=dict)
    num_words: int = 0
    num_subwords: int = 0
    log: ReadLog = field(default_factory=ReadLog)


def describe_run(embedder: Embedder, done: Done, *, num_kept: int, times: Mapping[str, float]) -> dict[str, Any]:
    """Encoder, tokenizer, windows, warnings of the corpus, versions, machine, times and rates.

    :param embedder: May be one in outline.
    :param num_kept: Shards that were there already.
    :param times: Seconds since the epoch: ``started``, ``encoding_started``, ``ended``, of the run that finished the store.
    """
    seconds = max(times["ended"] - times["encoding_started"], 1e-9)
    return {
        "encoder": dict(done.encoder),
        "tokenizer": dict(embedder.tokenizer.description),
        "window": {"content": embedder.window_size.content, "overlap": embedder.window_size.overlap},
        "corpus_warnings": [
            {"kind": kind, "message": warning.message, "count": warning.count, "places": warning.places}
            for kind, warning in sorted(done.log.warnings.items())
        ],
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in _PACKAGES},
        "machine": {"system": platform.system(), "processor": platform.machine(), "num_cores": os.cpu_count()},
        "run": {
            "started": _iso(times["started"]),
            "ended": _iso(times["ended"]),
            "seconds": round(times["ended"] - times["started"], 3),
            "words_per_second": round(done.num_words / seconds, 1),
            "subwords_per_second": round(done.num_subwords / seconds, 1),
            "num_shards_kept": num_kept,
        },
    }


def earlier_runs(grown_from: Sequence[EarlierRun], made_from: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the provenance of a store that has grown says of the runs before the last one; nothing of one that has not.

    :param grown_from: How many sentences the store had after each of them, and what it was made of.
    :param made_from: The provenance before the store grew; ``None`` where that is lost, and the identities are all there is.
    """
    runs = [dict(run.identity) for run in grown_from]
    if made_from is not None:
        # what failed then is still said of the whole store
        last = {key: value for key, value in made_from.items() if key not in ("grown_from", "failures")}
        runs = [*made_from.get("grown_from", []), last]
    numbered = [run | {"num_sentences": each.num_sentences} for run, each in zip(runs, grown_from, strict=True)]
    return {"grown_from": numbered} if numbered else {}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
