"""From the predictions of all runs to the lines of the table and the tests between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from embedpipe.downstream.metrics import confusion, confusion_tags, sentence_counts
from embedpipe.downstream.statistics import compare_resampled, mean_interval, resampled_scores
from embedpipe.experiment.choices import FINE_TUNED
from embedpipe.experiment.results import Confusion, Paired, Row
from embedpipe.experiment.training import predicted_tags

if TYPE_CHECKING:
    from embedpipe.dataflow import FloatArray
    from embedpipe.experiment.features import OnProgress
    from embedpipe.experiment.labelled import Labelled
    from embedpipe.experiment.run import Run
    from embedpipe.experiment.run_files import RunRecord

TOLD_APART = 0.05


@dataclass(frozen=True)
class Entry:
    """A line of the table in the making: one choice with one head, over its seeds.

    :param records: A run each, in the order of the seeds.
    :param mean: Of the metric over them.
    :param resampled: The metric's mean over seeds in each resampling of the test sentences.
    """

    encoder: str
    context: str
    pooling: str
    head: str
    choice: str
    records: tuple[RunRecord, ...]
    mean: float
    resampled: FloatArray

    @property
    def group(self) -> tuple[str, str, str, str]:
        """Within it, each two choices are compared."""
        return self.encoder, self.context, self.pooling, self.head

    @property
    def field(self) -> tuple[str, str, str]:
        """Within it, there is one best choice, over all poolings."""
        return self.encoder, self.context, self.head

    @property
    def is_reference(self) -> bool:
        """Whether it is a fine-tuned encoder, which does not compete."""
        return self.choice == FINE_TUNED


def evaluate(runs: Sequence[Run], records: Mapping[str, RunRecord], labelled: Labelled, on_progress: OnProgress) -> list[Entry]:
    """Put the runs of each choice together, and resample the test sentences: once for all choices of a group."""
    groups: dict[tuple[str, str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    entries: list[Entry] = []
    for number, (group, members) in enumerate(groups.items()):
        on_progress("evaluate", number, len(groups), " ".join(group))
        entries += _entries(group, members, records, labelled)
    on_progress("evaluate", len(groups), len(groups), "")
    return entries


def rows(entries: Sequence[Entry], metric: str) -> tuple[Row, ...]:
    """The lines of the table."""
    best = best_of_fields(entries)
    return tuple(_row(entry, best.get(entry.field), metric) for entry in entries)


def best_of_fields(entries: Sequence[Entry]) -> dict[tuple[str, str, str], Entry]:
    """The best choice of each encoder, context and head; of equal ones, the first."""
    best: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        if not entry.is_reference and (entry.field not in best or entry.mean > best[entry.field].mean):
            best[entry.field] = entry
    return best


def paired(entries: Sequence[Entry]) -> tuple[Paired, ...]:
    """Compare each two choices of a group, and each with the fine-tuned encoder."""
    groups: dict[tuple[str, str, str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
    references = {(entry.encoder, entry.context): entry for entry in entries if entry.is_reference}
    pairs = []
    for members in groups.values():
        if members[0].is_reference:
            continue
        ranked = sorted(members, key=lambda entry: -entry.mean)  # stable: of equal ones, the first of the table
        pairs += [_pair(worse, better) for better, worse in combinations(ranked, 2)]
        if reference := references.get((members[0].encoder, members[0].context)):
            pairs += [_pair(member, reference) for member in members]
    return tuple(pairs)


def confusions(entries: Sequence[Entry], labelled: Labelled) -> tuple[Confusion, ...]:
    """What the best choices, and the fine-tuned encoders, take for what."""
    shown = [*best_of_fields(entries).values(), *(entry for entry in entries if entry.is_reference)]
    return tuple(_confusion(entry, labelled) for entry in shown)


def _entries(
    group: tuple[str, str, str, str], runs: Sequence[Run], records: Mapping[str, RunRecord], labelled: Labelled
) -> Iterator[Entry]:
    encoder, context, pooling, head = group
    gold, metric = labelled.gold["test"], labelled.task.metric
    columns = {key: column for column, key in enumerate(dict.fromkeys(run.key for run in runs))}
    predicted = (predicted_tags(gold, records[key].predicted, labelled.tags) for key in columns)
    counts = np.stack([sentence_counts(gold, tags, metric) for tags in predicted])  # (num_runs, num_sentences, 3)
    scores = resampled_scores(counts)  # (num_resamples, num_runs)
    choices: dict[str, list[str]] = {}
    for run in runs:
        choices.setdefault(run.choice, []).append(run.key)
    for choice, keys in choices.items():
        of_choice = tuple(records[key] for key in keys)
        mean = _mean([record.test[metric] for record in of_choice])
        resampled = scores[:, [columns[key] for key in keys]].mean(axis=1)
        yield Entry(encoder, context, pooling, head, choice, of_choice, mean, resampled)


def _row(entry: Entry, best: Entry | None, metric: str) -> Row:
    bootstrap_low, bootstrap_high = np.quantile(entry.resampled, [0.025, 0.975]).tolist()
    over_seeds = mean_interval([record.test[metric] for record in entry.records])
    names = [name for name in entry.records[0].test if name != metric]
    tied = best is not None and not entry.is_reference and (entry is best or _pair(entry, best).p >= TOLD_APART)
    return Row(
        encoder=entry.encoder,
        context=entry.context,
        pooling=entry.pooling,
        choice=entry.choice,
        head=entry.head,
        num_seeds=len(entry.records),
        mean=over_seeds.mean,
        sd=over_seeds.sd,
        low=over_seeds.low,
        high=over_seeds.high,
        bootstrap_low=bootstrap_low,
        bootstrap_high=bootstrap_high,
        dev_mean=_mean([record.dev[metric] for record in entry.records]),
        other={name: _mean([record.test[name] for record in entry.records]) for name in names},
        best=tied,
    )


def _pair(entry: Entry, against: Entry) -> Paired:
    found = compare_resampled(entry.mean - against.mean, entry.resampled - against.resampled)
    return Paired(
        entry.encoder,
        entry.context,
        entry.pooling,
        entry.head,
        entry.choice,
        against.choice,
        found.difference,
        found.low,
        found.high,
        found.p,
    )


def _confusion(entry: Entry, labelled: Labelled) -> Confusion:
    gold, tags = labelled.gold["test"], labelled.all_tags
    counts = sum(confusion(gold, predicted_tags(gold, record.predicted, labelled.tags), tags) for record in entry.records)
    return Confusion(
        entry.encoder,
        entry.context,
        entry.pooling,
        entry.choice,
        entry.head,
        confusion_tags(tags),
        tuple(tuple(line) for line in np.asarray(counts).tolist()),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
