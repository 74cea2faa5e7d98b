"""A score with its two intervals on one line, for a cell of the table."""

from __future__ import annotations

import statistics

from markupsafe import Markup

from embedpipe.experiment.results import Row
from embedpipe.report.svg import Scale, element, line

_WIDTH, _HEIGHT = 132, 16
_SHOWN_WIDTHS = 3.0


def strip_scale(rows: list[Row]) -> Scale:
    """One scale for all rows of a table; it leaves out what is far below, so that the intervals of the best can be told."""
    ends = [end for row in rows for end in (row.low, row.high, row.bootstrap_low, row.bootstrap_high)]
    width = statistics.median(row.bootstrap_high - row.bootstrap_low for row in rows)
    best = max(row.mean for row in rows)
    return (
        Scale(max(min(ends), best - _SHOWN_WIDTHS * width), max(ends), 5, _WIDTH - 5)
        if width
        else Scale(min(ends), max(ends), 5, _WIDTH - 5)
    )


def strip(row: Row, scale: Scale, best: float) -> Markup:
    """Thin: the interval over sentences. Thick: over seeds. Dot: the mean. The fine vertical line is the best one's mean.

    Hidden from readers of the text: the numbers stand in the cells beside it.
    """
    middle = _HEIGHT / 2
    drawn = [line(scale(best), 0, scale(best), _HEIGHT, "grid")]
    if row.mean < scale.low:
        drawn.append(element("path", d=f"M8 {middle - 4:g}L2 {middle:g}L8 {middle + 4:g}", class_="below"))
    else:
        drawn += [
            line(scale(max(row.bootstrap_low, scale.low)), middle, scale(row.bootstrap_high), middle, "thin"),
            line(scale(max(row.low, scale.low)), middle, scale(row.high), middle, "thick"),
            element("circle", cx=scale(row.mean), cy=middle, r=2.2, class_="dot"),
        ]
    return element(
        "svg",
        *drawn,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        class_="strip",
        aria_hidden="true",
    )
