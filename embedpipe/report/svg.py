"""Drawing: elements, scales, and the marks that tell series apart by shape as well as by colour.

Colours are classes (``s0`` to ``s7``), whose values for light and dark are in ``page.css``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

NUM_COLOURS = 8
# Of size 1 around the origin, of about equal weight to the eye.
_SHAPES = (
    "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z",  # circle
    "M-.9-.9H.9V.9H-.9z",  # square
    "M0-1.2L1.15.85H-1.15z",  # triangle
    "M0-1.35L1.15 0L0 1.35L-1.15 0z",  # diamond
    "M0 1.2L1.15-.85H-1.15z",  # triangle that points down
    "M-.4-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4z",  # plus
    "M-1.2-.65L-.65-1.2L0-.55L.65-1.2L1.2-.65L.55 0L1.2.65L.65 1.2L0 .55L-.65 1.2L-1.2.65L-.55 0z",  # cross
    "M-.6-1.1H.6L1.2 0L.6 1.1H-.6L-1.2 0z",  # hexagon
    "M-1.25-.5H1.25V.5H-1.25z",  # bar
)


def element(name: str, *children: str, **attributes: object) -> Markup:
    """An element; everything is escaped but ``Markup``. ``class_`` is ``class``, ``_`` within a name is ``-``.

    :param attributes: ``None`` leaves one out; numbers are rounded to a tenth.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value) if isinstance(value, float) else value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")


def number(value: float) -> str:
    """As short as a tenth of a unit allows: ``12.3``, ``12``, ``0``."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text(x: float, y: float, words: str, class_: str | None = None, anchor: str | None = None) -> Markup:
    """A line of text; ``anchor`` is ``middle`` or ``end``."""
    return element("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """A line through points."""
    return element("path", d="M" + "L".join(f"{number(x)} {number(y)}" for x, y in points), class_=class_)


def mark(series: int, x: float, y: float, radius: float = 4.0, title: str | None = None, extra: str = "") -> Markup:
    """The mark of a series at a point.

    :param title: Shown on hover.
    """
    children = [element("title", title)] if title else []
    return element(
        "path",
        *children,
        d=shape(series),
        transform=f"translate({number(x)} {number(y)}) scale({number(radius)})",
        class_=f"mark {colour(series)} {extra}".strip(),
    )


def shape(series: int) -> str:
    """Path of a series' mark. There are nine shapes and eight colours: 72 pairs before one comes again."""
    return _SHAPES[series % len(_SHAPES)]


def colour(series: int) -> str:
    """Class of a series' colour."""
    return f"s{series % NUM_COLOURS}"


def drawing(width: int, height: int, id: str, title: str, description: str, *children: str) -> Markup:
    """A figure with its text alternative."""
    return element(
        "svg",
        element("title", title, id=f"{id}-title"),
        element("desc", description, id=f"{id}-desc"),
        *children,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby=f"{id}-title {id}-desc",
    )


@dataclass(frozen=True)
class Scale:
    """From values to places.

    :param low: Value at ``start``.
    :param high: Value at ``stop``.
    """

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Place of a value."""
        low, high, value = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        part = (value - low) / (high - low) if high > low else 0.5
        return self.start + part * (self.stop - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values within the scale: steps of 1, 2 or 5."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        rough = span / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def padded(values: Iterable[float], part: float = 0.06, least: float = 0.01) -> tuple[float, float]:
    """Lowest and highest of scores with some air around them, within 0 and 1."""
    values = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    air = max((max(values) - min(values)) * part, least)
    return max(0.0, min(values) - air), min(1.0, max(values) + air)
