"""Two tables whose cells are shaded: scores by type, and what was taken for what."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass

from embedpipe.experiment.results import Confusion, Results
from embedpipe.report.groups import Group, Line
from embedpipe.report.numbers import listed, percent

NUM_LEVELS = 7
_MOST_TYPES = 20
_MOST_TAGS = 25
_CONFUSED_PARTS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Cell:
    """A number and its shade, ``None`` for unshaded.

    :param strong: Whether it lies on the diagonal, where nothing was confused.
    """

    text: str
    level: int | None = None
    strong: bool = False


@dataclass(frozen=True)
class HeatTable:
    """A table.

    :param columns: Name and what stands small beneath it.
    :param rows: Name and a cell a column.
    :param note: What was left out, or what strikes the eye.
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    note: str = ""


def per_type(group: Group) -> HeatTable | None:
    """F1 by type, mean over seeds; ``None`` where runs have none, or only one type."""
    support: Counter[str] = Counter()
    for run in next((line.runs for line in group.lines if line.runs), ()):
        for name, scores in run.per_type.items():
            support[name] = int(scores["support"])
    if len(support) < 2:
        return None
    types = [name for name, _ in support.most_common(_MOST_TYPES)]
    table = [(group.label(line), [_mean_f1(line, name) for name in types]) for line in (*group.lines, *group.references)]
    known = [value for _, values in table for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    left_out = len(support) - len(types)
    return HeatTable(
        tuple((name, f"{support[name]:,}") for name in types),
        tuple((name, tuple(Cell(percent(v), _level(v, low, high)) for v in values)) for name, values in table),
        f"The {_MOST_TYPES} most frequent of {len(support)}; the other {left_out} are in results.json." if left_out else "",
    )


def confusion_of(results: Results, line: Line) -> Confusion | None:
    """What a line took for what, where the comparison has kept it."""
    row = line.row
    where = (row.encoder, row.context, row.pooling, row.choice, row.head)
    return next((c for c in results.confusions if (c.encoder, c.context, c.pooling, c.choice, c.head) == where), None)


def confusion_table(confusion: Confusion) -> HeatTable:
    """Rows are gold, columns predicted; shaded by the part of the row. With many tags, the most confused ones only."""
    kept = _kept(confusion)
    rows = []
    for i in kept:
        total = sum(confusion.counts[i]) or 1
        cells = tuple(
            Cell(f"{confusion.counts[i][j]:,}", _confused(confusion.counts[i][j] / total) if i != j else None, i == j)
            for j in kept
        )
        rows.append((confusion.tags[i], cells))
    left_out = len(confusion.tags) - len(kept)
    cut = f" The {len(kept)} tags with the most mistakes; the other {left_out} are in results.json." if left_out else ""
    return HeatTable(tuple((confusion.tags[j], "") for j in kept), tuple(rows), _most_confused(confusion) + cut)


def _kept(confusion: Confusion) -> list[int]:
    everything = range(len(confusion.tags))
    if len(everything) <= _MOST_TAGS:
        return list(everything)
    mistakes = [
        sum(confusion.counts[i]) + sum(row[i] for row in confusion.counts) - 2 * confusion.counts[i][i] for i in everything
    ]
    return sorted(sorted(everything, key=lambda i: -mistakes[i])[:_MOST_TAGS])


def _most_confused(confusion: Confusion) -> str:
    pairs = [
        (count, gold, predicted)
        for gold, row in zip(confusion.tags, confusion.counts, strict=True)
        for predicted, count in zip(confusion.tags, row, strict=True)
        if gold != predicted and count
    ]
    most = sorted(pairs, key=lambda pair: -pair[0])[:3]
    if not most:
        return "No mistake."
    return f"Most often, {listed([f'{gold} was taken for {predicted} ({count:,})' for count, gold, predicted in most])}."


def _mean_f1(line: Line, name: str) -> float | None:
    values = [run.per_type[name]["f1"] for run in line.runs if name in run.per_type]
    return statistics.fmean(values) if values else None


def _level(value: float | None, low: float, high: float) -> int | None:
    if value is None or not math.isfinite(value):
        return None
    return min(int(NUM_LEVELS * (value - low) / (high - low)), NUM_LEVELS - 1) if high > low else NUM_LEVELS // 2


def _confused(part: float) -> int | None:
    return sum(part >= limit for limit in _CONFUSED_PARTS) if part else None
