"""What a choice costs on disk against how good it is."""

from __future__ import annotations

from markupsafe import Markup

from embedpipe.report.figures.figure import Figure, Key, Numbers
from embedpipe.report.figures.score_axes import HEIGHT, LEFT, RIGHT, WIDTH, frame, reference, score_scale, whisker
from embedpipe.report.groups import Group, Line, title
from embedpipe.report.numbers import difference, percent, plus_minus, times
from embedpipe.report.svg import Scale, colour, drawing, mark, padded, text

KINDS = {"layer": "a single layer", "combination": "a combination", "learned_mix": "a learned mix"}
_LINE_HEIGHT, _CHARACTER = 13, 6.0  # of a name, about


def cost_figures(groups: tuple[Group, ...], metric: str, unit: str) -> tuple[list[Figure], list[Key]]:
    """A figure a group that has vectors of more than one size; the scale of sizes is logarithmic."""
    worth = [group for group in groups if len({line.choice.bytes_per_row for line in group.lines}) > 1]
    figures = [_figure(i, group, groups, metric, unit) for i, group in enumerate(worth)]
    return figures, [Key(i, name) for i, name in enumerate(KINDS.values())]


def _figure(index: int, group: Group, groups: tuple[Group, ...], metric: str, unit: str) -> Figure:
    shown = [line.row for line in (*group.lines, *group.references)]
    sizes = sorted({line.choice.bytes_per_row for line in group.lines})
    across = Scale(sizes[0], sizes[-1], LEFT + 26, RIGHT - 26, logarithmic=True)
    scores = score_scale(*padded([end for row in shown for end in (row.low, row.high)]))
    drawn = frame(scores, _ticks(sizes, across), f"bytes a {unit} (logarithmic)")
    drawn += [part for line in group.references[:1] for part in reference(scores, line)]
    for line in sorted(group.lines, key=lambda line: line.row.mean):
        series, x = _kind(line), across(line.choice.bytes_per_row)
        score = plus_minus(line.row.mean, line.row.sd, line.row.num_seeds)
        hover = f"{group.label(line)}: {score}, {line.choice.bytes_per_row:,} bytes"
        drawn += [
            whisker(x, scores, line.row.low, line.row.high, f"faint {colour(series)}"),
            mark(series, x, scores(line.row.mean), 4.2, hover),
        ]
    drawn += _labels(group, across, scores)
    name = title(group, groups)
    note = in_words(group, unit)
    return Figure(
        name,
        drawing(WIDTH, HEIGHT, f"cost-{index}", f"{metric} against bytes a {unit}, {name}", note, *drawn),
        Numbers(
            ("choice", f"bytes a {unit}", metric),
            tuple(
                (group.label(line), f"{line.choice.bytes_per_row:,}", percent(line.row.mean))
                for line in sorted(group.lines, key=lambda line: (line.choice.bytes_per_row, -line.row.mean))
            ),
        ),
        note,
    )


def in_words(group: Group, unit: str) -> str:
    """What the largest combination and the largest mix give over the best of the smallest vectors, for how much disk."""
    least = min(line.choice.bytes_per_row for line in group.lines)
    small = max((line for line in group.lines if line.choice.bytes_per_row == least), key=lambda line: line.row.mean)
    said = [f"The best of the smallest is {group.label(small)}, {percent(small.row.mean)} at {least:,} bytes a {unit}."]
    for kind in ("combination", "learned_mix"):
        larger = [line for line in group.lines if line.choice.kind == kind and line.choice.bytes_per_row > least]
        if larger:
            large = max(larger, key=lambda line: (line.choice.bytes_per_row, line.row.mean))
            points = large.row.mean - small.row.mean
            gain = "the same score" if percent(points) == "0.0" else f"{difference(points)} points"
            said.append(
                f"{_sentence(group.label(large))} costs {times(large.choice.bytes_per_row / least)} the disk, for {gain}."
            )
    return " ".join(said)


def _labels(group: Group, across: Scale, scores: Scale) -> list[Markup]:
    """Names of the best, of the smallest that is as good, and of the largest, moved apart where they would overlap."""
    large = max(group.lines, key=lambda line: (line.choice.bytes_per_row, line.row.mean))
    named = sorted({id(line): line for line in (group.best, group.smallest, large)}.values(), key=lambda line: -line.row.mean)
    drawn: list[Markup] = []
    taken: list[tuple[float, float, float]] = []  # left end, right end, base line
    for line in named:
        words, x, y = group.label(line), across(line.choice.bytes_per_row), scores(line.row.mean)
        width = _CHARACTER * len(words)
        above = x + width + 9 > RIGHT  # there is no room beside it
        left, y = (x + 6 - width, y - 9) if above else (x + 9, y + 4)
        for start, stop, base in sorted(taken, key=lambda box: box[2]):
            if start < left + width and left < stop and abs(y - base) < _LINE_HEIGHT:
                y = base + _LINE_HEIGHT
        taken.append((left, left + width, y))
        drawn.append(text(left + width if above else left, y, words, "halo", "end" if above else None))
    return drawn


def _ticks(sizes: list[int], across: Scale) -> list[tuple[float, str]]:
    """A tick a size, but for those that would run into the one before."""
    ticks: list[tuple[float, str]] = []
    for value in sizes:
        if not ticks or across(value) - ticks[-1][0] > 44:
            ticks.append((across(value), f"{value:,}"))
    return ticks


def _kind(line: Line) -> int:
    return list(KINDS).index(line.choice.kind) if line.choice.kind in KINDS else 1


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
