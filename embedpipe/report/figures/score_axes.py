"""The frame of a figure with scores upwards: grid, ticks, the lines of fine-tuned encoders."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from embedpipe.report.groups import Line
from embedpipe.report.numbers import percent
from embedpipe.report.svg import Scale, element, line, path, text

WIDTH, HEIGHT = 360, 244
LEFT, RIGHT, TOP, BOTTOM = 34, 352, 20, 204


def score_scale(low: float, high: float) -> Scale:
    """Scores upwards."""
    return Scale(low, high, BOTTOM, TOP)


def frame(scores: Scale, x_ticks: Sequence[tuple[float, str]], x_title: str) -> list[Markup]:
    """Grid lines with scores in percent, ticks below, and the name of what goes to the right."""
    drawn = []
    for tick in scores.ticks():
        drawn += [
            line(LEFT, scores(tick), RIGHT, scores(tick), "grid"),
            text(LEFT - 6, scores(tick) + 4, f"{100 * tick:g}", anchor="end"),
        ]
    drawn.append(line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"))
    for x, words in x_ticks:
        drawn += [line(x, BOTTOM, x, BOTTOM + 4, "axis"), text(x, BOTTOM + 18, words, anchor="middle")]
    drawn.append(text((LEFT + RIGHT) / 2, BOTTOM + 36, x_title, "quiet", anchor="middle"))
    return drawn


def reference(scores: Scale, fine_tuned: Line) -> list[Markup]:
    """The dashed line of a fine-tuned encoder over the band of its interval, its name above at the left."""
    row = fine_tuned.row
    y, top, bottom = scores(row.mean), scores(row.high), scores(row.low)
    return [
        element("rect", x=LEFT, y=top, width=RIGHT - LEFT, height=max(bottom - top, 0.1), class_="band"),
        path([(LEFT, y), (RIGHT, y)], "reference"),
        text(LEFT + 4, min(y, top) - 5, f"fine-tuned {percent(row.mean)}", "halo"),
    ]


def whisker(x: float, scores: Scale, low: float, high: float, colour: str) -> Markup:
    """An interval."""
    return line(x, scores(low), x, scores(high), f"whisker {colour}")
