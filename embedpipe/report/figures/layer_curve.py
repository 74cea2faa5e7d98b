"""The score of each single layer."""

from __future__ import annotations

from collections.abc import Sequence

from embedpipe.experiment.results import Row
from embedpipe.report.figures.figure import Figure, Key, Numbers
from embedpipe.report.figures.score_axes import HEIGHT, LEFT, RIGHT, WIDTH, frame, reference, score_scale, whisker
from embedpipe.report.groups import Group, Line, without_repeats
from embedpipe.report.names import spaced
from embedpipe.report.numbers import NOTHING, interval, listed, percent
from embedpipe.report.svg import Scale, colour, drawing, mark, padded, path

Series = tuple[str, tuple[Line, ...]]


def layer_curves(groups: Sequence[Group], metric: str) -> tuple[list[Figure], list[Key]]:
    """A figure an encoder, a curve a head (and context, and pooling); all with the same scale of scores.

    :returns: The figures, and the legend where there is more than one curve. Encoders with fewer than two single layers
        have no curve.
    """
    curves = {encoder: _series(groups, encoder) for encoder in dict.fromkeys(group.encoder for group in groups)}
    curves = {encoder: series for encoder, series in curves.items() if any(len(lines) > 1 for _, lines in series)}
    if not curves:
        return [], []
    names = list(dict.fromkeys(name for series in curves.values() for name, _ in series))
    tuned = {group.encoder: group.references[:1] for group in groups if group.encoder in curves}
    shown = [line.row for series in curves.values() for _, lines in series for line in lines]
    shown += [line.row for lines in tuned.values() for line in lines]
    scores = score_scale(*padded([end for row in shown for end in (row.low, row.high)]))
    figures = [
        _figure(i, encoder, series, names, tuned[encoder], scores, metric) for i, (encoder, series) in enumerate(curves.items())
    ]
    return figures, [Key(i, name) for i, name in enumerate(names)] if len(names) > 1 else []


def _series(groups: Sequence[Group], encoder: str) -> list[Series]:
    """Curves of an encoder, named by what sets them apart."""
    several_contexts = len({group.context for group in groups}) > 1
    found = []
    for group in groups:
        if group.encoder == encoder:
            for pooling in sorted(group.poolings):
                parts = [spaced(group.head)]
                parts += [spaced(group.context)] if several_contexts else []
                parts += [pooling] if len(group.poolings) > 1 else []
                lines = tuple(line for line in without_repeats(group.lines) if line.row.pooling == pooling)
                found.append((", ".join(parts), lines))
    return found


def _figure(
    index: int, encoder: str, series: list[Series], names: list[str], tuned: tuple[Line, ...], scores: Scale, metric: str
) -> Figure:
    layers = sorted({_layer(line) for _, lines in series for line in lines})
    across = Scale(min(layers), max(layers), LEFT + 14, RIGHT - 10)
    step = 1 if len(layers) <= 14 else 2 if len(layers) <= 26 else 4
    drawn = frame(scores, [(across(layer), str(layer)) for layer in layers if layer % step == 0], "layer (0: embeddings)")
    drawn += [part for line in tuned for part in reference(scores, line)]
    for name, lines in series:
        i = names.index(name)
        shift = (i - (len(names) - 1) / 2) * 3.0  # so that intervals stand side by side
        places = [(across(_layer(line)) + shift, line) for line in lines]
        if len(places) > 1:
            drawn.append(path([(x, scores(line.row.mean)) for x, line in places], f"curve {colour(i)}"))
        for x, line in places:
            title = f"{name}, layer {_layer(line)}: {percent(line.row.mean)} ({interval(line.row.low, line.row.high)})"
            drawn += [
                whisker(x, scores, line.row.low, line.row.high, colour(i)),
                mark(i, x, scores(line.row.mean), 3.0, title),
            ]
    tops = [(name, top) for name, lines in series if (top := _top(lines))]
    of_name = [f" with {name}" if len(series) > 1 else "" for name, _ in tops]
    best = listed([f"{_layer(top)}{by} ({percent(top.row.mean)})" for (_, top), by in zip(tops, of_name, strict=True)])
    title = f"{metric} of each layer of {encoder}"
    return Figure(
        encoder,
        drawing(WIDTH, HEIGHT, f"curve-{index}", title, f"Best single layer: {best}.", *drawn),
        _numbers(layers, series),
        f"Best single layer: {best}.",
    )


def _numbers(layers: list[int], series: list[Series]) -> Numbers:
    by_layer = [{_layer(line): line.row for line in lines} for _, lines in series]
    head = ("layer", *(f"{name}{what}" for name, _ in series for what in ("", ", 95 %")))
    return Numbers(
        head,
        tuple((str(layer), *(cell for rows in by_layer for cell in _cells(rows.get(layer)))) for layer in layers),
    )


def _cells(row: Row | None) -> tuple[str, str]:
    return (percent(row.mean), interval(row.low, row.high)) if row else (NOTHING, NOTHING)


def _top(lines: tuple[Line, ...]) -> Line | None:
    return max(lines, key=lambda line: line.row.mean, default=None)


def _layer(line: Line) -> int:
    return line.choice.layer or 0
