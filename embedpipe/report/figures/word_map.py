"""Where the uses of a word lie, layer by layer, coloured by sense; beside them the static vector, which is one for all.

Each use is drawn once and carries its place in every layer (``--p0``, ``--p1``, ...); the chosen radio button says which
one holds. So a sentence stands in the file once, the map needs no script, and points glide from layer to layer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from embedpipe.experiment.results import Occurrence, WordMap
from embedpipe.report.figures.figure import Key, Numbers
from embedpipe.report.numbers import counted, percent
from embedpipe.report.svg import colour, element, shape, text

_SIZE = (480, 400)
_SMALL = (240, 200)
_STATIC = "static"
_SHOWN = 200  # characters of a sentence
_SAME = 1e-6

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Use:
    """An occurrence as it is listed.

    :param before: What the sentence has before the word; long sentences are cut around it.
    """

    key: Key
    before: str
    word: str
    after: str
    sentence_id: str


@dataclass(frozen=True)
class Panel:
    """A layer.

    :param small: Its drawing among the small multiples.
    :param separation: Of 100 uses, how many have a nearest neighbour of the same sense.
    """

    name: str
    small: Markup
    separation: str


@dataclass(frozen=True)
class MapFigure:
    """All that there is to show of a word.

    :param stage: The large drawing, whose points move.
    :param static: The large drawing of the static vectors, where there is such a panel.
    :param static_words: What it shows.
    :param chosen: Panel that is shown first: the one that tells the senses apart best.
    """

    id: str
    title: str
    lemma: str
    keys: tuple[Key, ...]
    panels: tuple[Panel, ...]
    stage: Markup
    static: Markup | None
    static_words: str
    chosen: int
    note: str
    numbers: Numbers
    uses: tuple[Use, ...]


def map_figure(index: int, word_map: WordMap, several_encoders: bool) -> MapFigure:
    """Draw a word."""
    id = f"map-{index}"
    senses = [sense for sense, _ in Counter(occurrence.sense for occurrence in word_map.occurrences).most_common()]
    counts = Counter(occurrence.sense for occurrence in word_map.occurrences)
    keys = {sense: Key(i, f"{sense} ({counts[sense]})") for i, sense in enumerate(senses)}
    uses = tuple(_use(occurrence, Key(keys[occurrence.sense].series, occurrence.sense)) for occurrence in word_map.occurrences)
    layers = [name for name in word_map.panels if name != _STATIC]
    best = max(layers, key=lambda name: _finite(word_map.separation.get(name)), default="")
    static, static_words = _static(word_map.panels[_STATIC], uses) if _STATIC in word_map.panels else (None, "")
    name = f"{word_map.lemma}, {word_map.encoder}" if several_encoders else word_map.lemma
    return MapFigure(
        id,
        name,
        word_map.lemma,
        tuple(keys.values()),
        tuple(_panel(panel, word_map, uses) for panel in word_map.panels),
        _stage(id, word_map, layers, uses),
        static,
        static_words,
        max(list(word_map.panels).index(best), 0) if best else 0,
        _note(word_map, best, counts),
        Numbers(
            ("panel", "nearest neighbour has the same sense, %", "variance in the two components, %"),
            tuple(
                (panel, percent(word_map.separation.get(panel)), percent(word_map.explained.get(panel)))
                for panel in word_map.panels
            ),
        ),
        uses,
    )


def markers(num_series: int) -> Markup:
    """The marks of the small multiples, defined once: ``#mark-0`` and so on."""
    made = [
        element(
            "marker",
            element("path", d=shape(series), transform="scale(5)", class_=f"mark {colour(series)}"),
            id=f"mark-{series}",
            markerUnits="userSpaceOnUse",
            overflow="visible",
        )
        for series in range(num_series)
    ]
    return element("svg", element("defs", *made), width=0, height=0, class_="defs", aria_hidden="true")


def _use(occurrence: Occurrence, key: Key) -> Use:
    start, stop = occurrence.span
    room = max(_SHOWN - (stop - start), 40) // 2
    before, after = occurrence.text[:start], occurrence.text[stop:]
    before = before if len(before) <= room else f"… {before[-room:]}"
    after = after if len(after) <= room else f"{after[:room]} …"
    return Use(key, before, occurrence.text[start:stop], after, occurrence.sentence_id)


def _stage(id: str, word_map: WordMap, layers: list[str], uses: tuple[Use, ...]) -> Markup:
    """The large drawing; a panel's number in ``--p`` is its place among all panels, the static one included."""
    numbers = {name: i for i, name in enumerate(word_map.panels)}
    placed = {numbers[name]: _placed(word_map.panels[name], *_SIZE) for name in layers}
    points = [
        element(
            "path",
            element("title", f"{use.key.name}\n{use.before}‹{use.word}›{use.after}"),
            d=shape(use.key.series or 0),
            transform="scale(5)",
            class_=f"pt mark {colour(use.key.series or 0)}",
            style=";".join(f"--p{i}:{places[at][0]:.0f}px {places[at][1]:.0f}px" for i, places in placed.items()),
        )
        for at, use in enumerate(uses)
    ]
    words = f"Map of {counted(len(uses), 'uses')} of {word_map.lemma}. Arrow keys go from use to use."
    return element(
        "svg",
        *points,
        viewBox=f"0 0 {_SIZE[0]} {_SIZE[1]}",
        class_="map",
        role="img",
        tabindex=0,
        aria_label=words,
        aria_describedby=f"{id}-note",
    )


def _static(points: Sequence[tuple[float, float]], uses: tuple[Use, ...]) -> tuple[Markup, str]:
    """Static vectors: a circle a place, with how many uses share it."""
    placed = _placed(points, *_SIZE)
    drawn = []
    for (x, y), count in Counter(placed).most_common():
        here = Counter(use.key.name for use, place in zip(uses, placed, strict=True) if place == (x, y))
        hover = f"{counted(count, 'uses')}: {', '.join(f'{sense} {n}' for sense, n in here.most_common())}"
        radius = 6 + 3 * math.sqrt(count)
        drawn.append(element("circle", element("title", hover), cx=x, cy=y, r=min(radius, 60.0), class_="place"))
        if count > 1:
            drawn.append(text(x, y + 6, str(count), "count", anchor="middle"))
    num_places = len(set(placed))
    words = f"all {len(uses)} uses are one point" if num_places == 1 else f"{len(uses)} uses are {num_places} points"
    box = f"0 0 {_SIZE[0]} {_SIZE[1]}"
    return element("svg", *drawn, viewBox=box, class_="map", role="img", aria_label=f"Static vectors: {words}"), words


def _panel(name: str, word_map: WordMap, uses: tuple[Use, ...]) -> Panel:
    placed = _placed(word_map.panels[name], *_SMALL)
    if len(set(placed)) == 1:
        drawn = [element("circle", cx=_SMALL[0] / 2, cy=_SMALL[1] / 2, r=12, class_="place")]
    else:
        by_series: dict[int, Points] = {}
        for use, place in zip(uses, placed, strict=True):
            by_series.setdefault(use.key.series or 0, []).append(place)
        drawn = [
            element("path", d=f"M{'L'.join(f'{x:.0f} {y:.0f}' for x, y in places)}h0", class_="points", **_marked(series))
            for series, places in by_series.items()
        ]
    small = element("svg", *drawn, viewBox=f"0 0 {_SMALL[0]} {_SMALL[1]}", class_="map", role="img", aria_label=f"Map: {name}")
    return Panel(name, small, percent(word_map.separation.get(name)))


def _marked(series: int) -> dict[str, str]:
    return {f"marker_{where}": f"url(#mark-{series})" for where in ("start", "mid", "end")}


def _placed(points: Sequence[tuple[float, float]], width: int, height: int) -> Points:
    """Fit points into a drawing with equal units both ways; what is one point lies in the middle."""
    lows, highs = [min(axis) for axis in zip(*points, strict=True)], [max(axis) for axis in zip(*points, strict=True)]
    air = 0.06 * width
    spans = [high - low for low, high in zip(lows, highs, strict=True)]
    magnitude = max(abs(end) for end in (*lows, *highs))
    if max(spans) <= _SAME * max(magnitude, 1.0):
        return [(width / 2, height / 2)] * len(points)
    unit = min((side - 2 * air) / span for side, span in zip((width, height), spans, strict=True) if span > 0)
    middle = [(low + high) / 2 for low, high in zip(lows, highs, strict=True)]
    return [(round(width / 2 + (x - middle[0]) * unit, 1), round(height / 2 - (y - middle[1]) * unit, 1)) for x, y in points]


def _note(word_map: WordMap, best: str, counts: Counter[str]) -> str:
    sense, most = counts.most_common(1)[0]
    chance = f"Always naming the most frequent sense, {sense}, is right for {percent(most / counts.total())}\u00a0%."
    if not math.isfinite(_finite(word_map.separation.get(best))):
        return chance
    static = word_map.separation.get(_STATIC)
    beside = f" (static vectors: {percent(static)}\u00a0%)" if static is not None and math.isfinite(static) else ""
    uses = f"{percent(word_map.separation[best])}\u00a0% of the uses"
    return f"In {best}, {uses} have a nearest neighbour of their own sense{beside}. {chance}"


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else -math.inf
