"""Runs what has not been run yet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from embedpipe.downstream.metrics import per_type, score_tags
from embedpipe.experiment.run_files import RunFolder, RunRecord

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.heads.head import Epoch, MixWeights
    from embedpipe.experiment.features import OnProgress
    from embedpipe.experiment.labelled import Labelled, TagsOfSentences
    from embedpipe.experiment.run import Outcome, Run


def train_all(runs: Sequence[Run], labelled: Labelled, folder: RunFolder, on_progress: OnProgress) -> dict[str, RunRecord]:
    """Train, test and keep what is not kept yet; each key once.

    :returns: By key.
    """
    num_rows = sum(len(tags) for tags in labelled.gold["test"])
    distinct: dict[str, Run] = {}
    for run in runs:
        distinct.setdefault(run.key, run)
    found = {key: folder.read(run, num_rows) for key, run in distinct.items()}
    records = {key: record for key, record in found.items() if record is not None}
    on_progress("train", len(records), len(distinct), "")
    if len(records) < len(distinct):
        import torch  # noqa: F401  # seconds that are not the first run's
    for key, run in distinct.items():
        if key not in records:
            records[key] = _train(run, labelled, folder, len(records), len(distinct), on_progress)
            on_progress("train", len(records), len(distinct), run.name)
    return {key: records[key] for key in distinct}


def predicted_tags(gold: TagsOfSentences, codes: IntArray, tags: Sequence[str]) -> TagsOfSentences:
    """Write predicted codes as the tags of each sentence; ``None`` for no tag."""
    names = [*tags, None]  # NO_CODE is the last
    rows = iter(codes.tolist())
    return [[names[next(rows)] for _ in sentence] for sentence in gold]


def _train(run: Run, labelled: Labelled, folder: RunFolder, num_done: int, num_runs: int, on_progress: OnProgress) -> RunRecord:
    started = time.perf_counter()

    def on_epoch(epoch: Epoch) -> None:
        on_progress("train", num_done, num_runs, f"{run.name}, epoch {epoch.number}")

    outcome = run.train(on_epoch, folder.checkpoint(run))
    record = _record(outcome, labelled, time.perf_counter() - started)
    folder.write(run, record)
    return record


def _record(outcome: Outcome, labelled: Labelled, seconds: float) -> RunRecord:
    dev, test = (
        predicted_tags(labelled.gold[part], codes, labelled.tags)
        for part, codes in (("dev", outcome.dev), ("test", outcome.test))
    )
    return RunRecord(
        dev=score_tags(labelled.gold["dev"], dev, labelled.all_tags),
        test=score_tags(labelled.gold["test"], test, labelled.all_tags),
        per_type=per_type(labelled.gold["test"], test, labelled.all_tags),
        predicted=outcome.test,
        best_epoch=outcome.best_epoch,
        epochs=tuple(asdict(epoch) for epoch in outcome.epochs),
        mix=_mix(outcome.mix),
        seconds=round(seconds, 3),
    )


def _mix(mix: MixWeights | None) -> Mapping[str, Any] | None:
    return (
        None
        if mix is None
        else {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(mix).items()}
    )
