"""The report as one HTML file that needs nothing else: styles, script and drawings are inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from embedpipe.experiment.results import Results, Timings
from embedpipe.report import names, numbers
from embedpipe.report.examples import Example, example, types_of
from embedpipe.report.figures.cost import cost_figures
from embedpipe.report.figures.layer_curve import layer_curves
from embedpipe.report.figures.mix_weights import mix_figures
from embedpipe.report.figures.range_strip import strip, strip_scale
from embedpipe.report.figures.word_map import MapFigure, map_figure, markers
from embedpipe.report.groups import Group, Line, groups_of, other_metrics, title
from embedpipe.report.headline import answers, headline, main_group, subject
from embedpipe.report.heat import HeatTable, confusion_of, confusion_table, per_type
from embedpipe.report.svg import NUM_COLOURS, element, shape

_MOST_EXAMPLES = 8
_SECTIONS = (
    ("paper", "The choices of the BERT paper"),
    ("learned_mix", "Learned mixes"),
    ("layer", "Single layers"),
    ("other", "Other combinations"),
    ("fine_tuned", "For reference"),
)


def write_report(results: Results, timings: Timings, path: str | Path) -> None:
    """Write the report; a file that is there is replaced when the new one is complete.

    :param path: An HTML file. Everything is inside it, so it can be sent and printed by itself.
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(_page(results, timings), encoding="utf-8", newline="\n")
    unfinished.replace(path)


def _page(results: Results, timings: Timings) -> str:
    groups = groups_of(results, timings)
    metric, unit = names.metric_name(results.metric), names.unit_of(results.task)
    curves, curve_keys = layer_curves(groups, metric)
    costs, cost_keys = cost_figures(groups, metric, unit)
    maps = _maps(results)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            results=results,
            timings=timings,
            groups=groups,
            metric=metric,
            unit=unit,
            title=results.title or f"Which vectors are best for {names.task_name(results.task)}",
            headline=headline(results, groups),
            headline_group=main_group(groups),
            subject=subject(results),
            answers=answers(groups) if len(groups) > 1 else (),
            tables=[_table(group, groups, results.metric) for group in groups],
            curves=curves,
            curve_keys=curve_keys,
            costs=costs,
            cost_keys=cost_keys,
            mixes=mix_figures(groups),
            heats=_heats(groups),
            confusions=_confusions(results, groups),
            examples=_examples(results, groups),
            num_examples=len(results.disagreements),
            tag_colours={name: i % NUM_COLOURS for i, name in enumerate(types_of(results.tags))},
            maps=maps,
            num_panels=max((len(drawn.panels) for drawn in maps), default=0),
            markers=markers(max((len(drawn.keys) for drawn in maps), default=0)),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("embedpipe.report", "."),
        autoescape=True,  # sentences of a corpus may hold anything
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": numbers.percent,
        "size": numbers.size,
        "seconds": numbers.seconds,
        "p_value": numbers.p_value,
        "difference": numbers.difference,
        "spaced": names.spaced,
        "metric_name": names.metric_name,
        "layers_text": names.layers_text,
        "as_json": _as_json,
    }
    environment.globals |= {
        "interval": numbers.interval,
        "plus_minus": numbers.plus_minus,
        "mark": _legend_mark,
        "is_mapping": lambda value: isinstance(value, Mapping),
    }
    return environment


def _table(group: Group, groups: tuple[Group, ...], metric: str) -> dict[str, Any]:
    """What the template of a table needs: the lines by section, the strips, the metrics that stand beside."""
    lines = (*group.lines, *group.references)
    scale = strip_scale([line.row for line in lines])
    return {
        "title": title(group, groups),
        "group": group,
        "sections": [
            (words, found) for key, words in _SECTIONS if (found := [line for line in lines if _section(line) == key])
        ],
        "strip": lambda line: strip(line.row, scale, group.best.row.mean),
        "lenient": "conlleval_f1" in other_metrics(group),
        "others": other_metrics(group),
        "paper": metric == "f1" and any(line.paper_score is not None for line in lines),
        "timed": any(line.seconds is not None for line in lines),
        "differences": [line for line in group.lines if line.paired],
    }


def _section(line: Line) -> str:
    if line.is_reference:
        return "fine_tuned"
    if line.paper_score is not None:
        return "paper"
    return line.choice.kind if line.choice.kind in ("learned_mix", "layer") else "other"


def _heats(groups: tuple[Group, ...]) -> list[tuple[str, HeatTable, bool]]:
    """With a name, and whether it is shown unfolded."""
    return [(title(group, groups), heat, group is main_group(groups)) for group in groups if (heat := per_type(group))]


def _confusions(results: Results, groups: tuple[Group, ...]) -> list[tuple[str, HeatTable, bool]]:
    """Of the best choice of each group, and of the fine-tuned encoders."""
    found: dict[str, tuple[HeatTable, bool]] = {}
    main = main_group(groups)
    shown = main.best if main else None
    for group in groups:
        for line in (group.best, *group.references):
            confusion = confusion_of(results, line)
            if confusion:
                where = group.encoder if line.is_reference else title(group, groups)
                found.setdefault(f"{where}: {group.label(line)}", (confusion_table(confusion), line is shown))
    return [(name, heat, unfolded) for name, (heat, unfolded) in found.items()]


def _examples(results: Results, groups: tuple[Group, ...]) -> list[Example]:
    """The first few of each encoder, context and head."""
    titles = {(group.encoder, group.context, group.head): title(group, groups) for group in groups}
    by_place: dict[tuple[str, str, str], list[Example]] = {}
    for disagreement in results.disagreements:
        place = (disagreement.encoder, disagreement.context, disagreement.head)
        by_place.setdefault(place, []).append(example(disagreement, titles.get(place, disagreement.encoder)))
    each = max(_MOST_EXAMPLES // max(len(by_place), 1), 1)
    return [shown for examples in by_place.values() for shown in examples[:each]]


def _maps(results: Results) -> list[MapFigure]:
    several = len({word_map.encoder for word_map in results.maps}) > 1
    drawable = [word_map for word_map in results.maps if word_map.occurrences and word_map.panels]
    return [map_figure(i, word_map, several) for i, word_map in enumerate(drawable)]


def _legend_mark(series: int | None) -> str:
    """The mark of a series, for a legend; ``None`` is the dashed line."""
    if series is None:
        drawn = element("path", d="M-8 0H8", class_="reference")
    else:
        drawn = element("path", d=shape(series), transform="scale(4.5)", class_=f"mark s{series % NUM_COLOURS}")
    return element("svg", drawn, viewBox="-8 -8 16 16", class_="key", aria_hidden="true")


def _as_json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
