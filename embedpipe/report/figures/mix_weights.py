"""What a learned mix has learned: its weights by layer, and gamma."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from embedpipe.report.figures.figure import Figure, Numbers
from embedpipe.report.groups import Group, Line, title
from embedpipe.report.svg import Scale, drawing, element, line, text

_WIDTH, _HEIGHT = 360, 158
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 352, 10, 122


def mix_figures(groups: tuple[Group, ...]) -> list[Figure]:
    """A figure a learned mix; those of as many layers have the same scale of weights."""
    found = [(group, line, mixes) for group in groups for line in group.lines if (mixes := _mixes(line))]
    highest: dict[int, float] = {}
    for *_, mixes in found:
        num_layers = len(mixes[0]["layers"])
        highest[num_layers] = max(highest.get(num_layers, 0.0), *(float(weight) for mix in mixes for weight in mix["weights"]))
    scales = {num_layers: Scale(0.0, weight * 1.08, _BOTTOM, _TOP) for num_layers, weight in highest.items()}
    return [
        _figure(i, group, line, mixes, groups, scales[len(mixes[0]["layers"])]) for i, (group, line, mixes) in enumerate(found)
    ]


def _mixes(line: Line) -> list[Mapping[str, Any]]:
    return [run.mix for run in line.runs if run.mix is not None]


def _figure(
    index: int, group: Group, line: Line, mixes: list[Mapping[str, Any]], groups: tuple[Group, ...], up: Scale
) -> Figure:
    layers = [int(layer) for layer in mixes[0]["layers"]]
    by_layer = list(zip(*([float(weight) for weight in mix["weights"]] for mix in mixes), strict=True))
    means = [statistics.fmean(weights) for weights in by_layer]
    gammas = [float(mix["gamma"]) for mix in mixes]
    heaviest = layers[means.index(max(means))]
    name = f"{title(group, groups)}: {group.label(line)}"
    gamma = f"γ {_spread(gammas)}"
    alternative = (
        f"Layer {heaviest} has the largest weight, {max(means):.3f} of 1; equal weights were {1 / len(layers):.3f}. {gamma}."
    )
    return Figure(
        name,
        drawing(_WIDTH, _HEIGHT, f"mix-{index}", f"Weights of {name}", alternative, *_drawn(layers, by_layer, means, up)),
        Numbers(
            ("layer", "weight", "of each seed"),
            tuple(
                (str(layer), _spread(weights), ", ".join(f"{weight:.3f}" for weight in weights))
                for layer, weights in zip(layers, by_layer, strict=True)
            ),
        ),
        f"{gamma}. Largest: layer {heaviest}.",
    )


def _drawn(layers: list[int], by_layer: Sequence[Sequence[float]], means: list[float], up: Scale) -> list[Markup]:
    step = (_RIGHT - _LEFT) / len(layers)
    width = min(step * 0.62, 34)
    drawn = []
    for tick in up.ticks(4):
        drawn += [line(_LEFT, up(tick), _RIGHT, up(tick), "grid"), text(_LEFT - 6, up(tick) + 4, f"{tick:g}", anchor="end")]
    for i, (layer, weights, mean) in enumerate(zip(layers, by_layer, means, strict=True)):
        x = _LEFT + (i + 0.5) * step
        hover = element("title", f"layer {layer}: {_spread(weights)}")
        drawn.append(
            element("rect", hover, x=x - width / 2, y=up(mean), width=width, height=_BOTTOM - up(mean), class_="bar s0")
        )
        if len(weights) > 1:
            drawn.append(line(x, up(min(weights)), x, up(max(weights)), "whisker spread"))
            drawn += [element("circle", cx=x, cy=up(weight), r=1.8, class_="seed") for weight in weights]
        if len(layers) <= 16 or layer % 2 == 0:
            drawn.append(text(x, _BOTTOM + 16, str(layer), anchor="middle"))
    equal = up(1 / len(layers))
    drawn += [
        line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"),
        line(_LEFT, equal, _RIGHT, equal, "reference"),
        text((_LEFT + _RIGHT) / 2, _BOTTOM + 33, "layer; dashed: equal weights", "quiet", anchor="middle"),
    ]
    return drawn


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"
