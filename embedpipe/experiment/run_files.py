"""The files of finished runs: a run whose file is there and whole is not done again."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedpipe.errors import StoreError
from embedpipe.experiment.json_file import write_json
from embedpipe.experiment.run import digest

if TYPE_CHECKING:
    from pathlib import Path

    from embedpipe.dataflow import IntArray
    from embedpipe.experiment.run import Run

Scores = Mapping[str, float]


@dataclass(frozen=True)
class RunRecord:
    """What is kept of a run.

    :param predicted: Codes of the tags on the test rows, in the order of the training tags. *Shape:* ``(num_rows,)``.
    :param epochs: ``number``, ``loss``, ``score``, ``best_score`` each.
    :param mix: ``layers``, ``scalars``, ``weights``, ``gamma`` of a learned one.
    :param seconds: What training and prediction took.
    """

    dev: Scores
    test: Scores
    per_type: Mapping[str, Scores]
    predicted: IntArray
    best_epoch: int
    epochs: tuple[Mapping[str, float], ...]
    mix: Mapping[str, Any] | None
    seconds: float


@dataclass(frozen=True)
class RunFolder:
    """The folder ``runs/`` of a comparison."""

    path: Path

    def checkpoint(self, run: Run) -> Path:
        """Where the state of an interrupted training is."""
        return self.path / f"{run.key}.partial"

    def read(self, run: Run, num_rows: int) -> RunRecord | None:
        """A finished run; ``None`` if it is not there, or its file is damaged.

        :param num_rows: Test rows that it must have predicted.
        """
        try:
            kept = json.loads(self._file(run).read_bytes())
            if kept.pop("sha256") != digest(kept) or digest(kept["identity"]) != run.key:
                return None
            record = _from_json(kept)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error, zlib.error):
            return None
        return record if len(record.predicted) == num_rows else None

    def write(self, run: Run, record: RunRecord) -> None:
        """Keep a run.

        :raises StoreError: If the disk is full or the folder not writable.
        """
        content = {"identity": run.identity} | asdict(record) | {"predicted": _pack(record.predicted)}
        content = json.loads(json.dumps(content))  # as it will be read: tuples are lists
        try:
            write_json(self._file(run), {"sha256": digest(content)} | content)
            self.checkpoint(run).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot keep the run {run.name} in {self._file(run)}: {error.strerror}. Finished runs are kept; "
                "run the same command again to go on."
            ) from error

    def _file(self, run: Run) -> Path:
        return self.path / f"{run.key}.json"


def _from_json(kept: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        kept["dev"],
        kept["test"],
        kept["per_type"],
        _unpack(kept["predicted"]),
        kept["best_epoch"],
        tuple(kept["epochs"]),
        kept["mix"],
        kept["seconds"],
    )


def _pack(codes: IntArray) -> str:
    return base64.b64encode(zlib.compress(codes.astype("<i4").tobytes())).decode()


def _unpack(text: str) -> IntArray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), "<i4").astype(np.int64)
