"""A drawing, and the numbers that it shows, for those who cannot see it or want them exactly."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Numbers:
    """A table: the first column names the row.

    :param head: Names of the columns.
    :param rows: As long as ``head``.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Key:
    """An entry of a legend.

    :param series: Which mark and colour; ``None`` for a dashed line.
    """

    series: int | None
    name: str


@dataclass(frozen=True)
class Figure:
    """A drawing with what stands above and below it.

    :param title: What sets it apart from its neighbours: the encoder, the head.
    :param note: A sentence below.
    """

    title: str
    drawing: Markup
    numbers: Numbers
    note: str = ""
