"""Runs what has not been run yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from embedpipe.downstream.metrics import per_type, score_tags
from embedpipe.errors import StoreError
from embedpipe.experiment.run_files import RunFolder, RunRecord

if TYPE_CHECKING:
    from embedpipe.dataflow import IntArray
    from embedpipe.downstream.heads.head import MixWeights, OnEpoch
    from embedpipe.experiment.features import OnProgress
    from embedpipe.experiment.labelled import Labelled, TagsOfSentences
    from embedpipe.experiment.run import Outcome, Run


def train_all(
    runs: Sequence[Run], labelled: Labelled, folder: RunFolder, on_progress: OnProgress, *, num_workers: int = 1
) -> dict[str, RunRecord]:
    """Train, test and keep what is not kept yet; each key once.

    :param num_workers: How many runs are trained at once, each in a process of its own if more than one.
    :returns: By key.
    """
    num_rows = sum(len(tags) for tags in labelled.gold["test"])
    distinct: dict[str, Run] = {}
    for run in runs:
        distinct.setdefault(run.key, run)
    found = {key: folder.read(run, num_rows) for key, run in distinct.items()}
    records = {key: record for key, record in found.items() if record is not None}
    missing = {key: run for key, run in distinct.items() if key not in records}
    num_kept = len(records)

    def report(key: str, num_trained: int, news: str) -> None:
        on_progress("train", num_kept + num_trained, len(distinct), f"{distinct[key].name}{news}")

    on_progress("train", num_kept, len(distinct), "")
    if missing and num_workers > 1:
        from embedpipe.experiment.worker import Work
        from embedpipe.experiment.workers import train_at_once

        train_at_once(Work(missing, labelled, folder), num_workers, report)
        records |= {key: _kept(run, folder, num_rows) for key, run in missing.items()}
    elif missing:
        records |= _train_in_turn(missing, labelled, folder, report)
    return {key: records[key] for key in distinct}


def train(run: Run, labelled: Labelled, folder: RunFolder, on_epoch: OnEpoch) -> RunRecord:
    """Train, test and keep one run."""
    started = time.perf_counter()
    outcome = run.train(on_epoch, folder.checkpoint(run))
    record = _record(outcome, labelled, time.perf_counter() - started)
    folder.write(run, record)
    return record


def predicted_tags(gold: TagsOfSentences, codes: IntArray, tags: Sequence[str]) -> TagsOfSentences:
    """Write predicted codes as the tags of each sentence; ``None`` for no tag."""
    names = [*tags, None]  # NO_CODE is the last
    rows = iter(codes.tolist())
    return [[names[next(rows)] for _ in sentence] for sentence in gold]


def _train_in_turn(
    missing: Mapping[str, Run], labelled: Labelled, folder: RunFolder, report: Callable[[str, int, str], None]
) -> dict[str, RunRecord]:
    import torch  # noqa: F401  # seconds that are not the first run's

    records: dict[str, RunRecord] = {}
    for number, (key, run) in enumerate(missing.items()):
        records[key] = train(run, labelled, folder, _reporting(report, key, number))
        report(key, number + 1, "")
    return records


def _reporting(report: Callable[[str, int, str], None], key: str, num_trained: int) -> OnEpoch:
    return lambda epoch: report(key, num_trained, f", epoch {epoch.number}")


def _kept(run: Run, folder: RunFolder, num_rows: int) -> RunRecord:
    """A run that another process has just kept."""
    record = folder.read(run, num_rows)
    if record is None:
        raise StoreError(
            f"the run {run.name} was kept a moment ago, and its file in {folder.path} is gone or damaged. Run the same command "
            "again to go on."
        )
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
