"""The table of a comparison for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from embedpipe.experiment.results import Results, Timings
from embedpipe.report.groups import Group, groups_of, other_metrics, title
from embedpipe.report.headline import without_vectors
from embedpipe.report.names import metric_name, unit_of
from embedpipe.report.numbers import interval, percent, plus_minus

_NO_TIMINGS = Timings(extraction={}, training={}, machine={})


def table(results: Results) -> str:
    """A block of lines for each encoder, context and head.

    :returns: Lines without a line end behind the last; ``*`` marks the best choice and those that are not told apart from it.
    """
    groups = groups_of(results, _NO_TIMINGS)
    if not groups:
        return "The comparison has no rows."
    lines: list[str] = []
    for group in groups:
        lines += [title(group, groups), *_aligned(_cells(results, group)), ""]
    lines.append(f"* best {metric_name(results.metric)} on the test sentences, or not told apart from it (p >= 0.05)")
    lines += [f"  {sentence}" for sentence in (without_vectors(results), *results.notes) if sentence]
    return "\n".join(lines)


def _cells(results: Results, group: Group) -> list[Sequence[str]]:
    others = other_metrics(group)
    metric, unit = metric_name(results.metric), unit_of(results.task)
    head = ("", "choice", f"{metric} ± sd", "95 % seeds", "95 % test", *map(metric_name, others), "dev", f"bytes/{unit}")
    cells: list[Sequence[str]] = [head]
    for line in (*group.lines, *group.references):
        row = line.row
        cells.append(
            (
                "*" if not line.is_reference and (line is group.best or line.row.best) else "",
                group.label(line).replace(" ", "_") if len(group.poolings) == 1 or line.is_reference else group.label(line),
                plus_minus(row.mean, row.sd, row.num_seeds),
                interval(row.low, row.high) if row.num_seeds > 1 else "–",
                interval(row.bootstrap_low, row.bootstrap_high),
                *(percent(row.other.get(name)) for name in others),
                percent(row.dev_mean),
                "–" if line.is_reference else f"{line.choice.bytes_per_row:,}",
            )
        )
    return cells


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Columns of equal width; all but the mark and the name to the right."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (
            cell + " " * (width - _width(cell)) if i < 2 else " " * (width - _width(cell)) + cell
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield ("  ".join(cells)).rstrip()


def _width(words: str) -> int:
    """Columns of a terminal: two for a wide character, none for a combining one."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)
