"""How counts, sizes and tables look on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_VIEW_COLUMNS = ("view", "unit", "rows", "vector", "dtype", "size", "layers", "pooling")
_RIGHT_ALIGNED = {2, 3, 5}


def views_table(views: Mapping[str, Mapping[str, Any]], totals: Mapping[str, int] | None = None) -> Iterator[str]:
    """One line a view.

    :param views: By name: unit, rows, row_shape, dtype, size_bytes, layers, pooling.
    :param totals: Further lines below, which have a size in bytes only.
    """
    rows = [
        (
            name,
            view["unit"],
            f"{view['rows']:,}",
            " x ".join(map(str, view["row_shape"])),
            view["dtype"],
            size_text(view["size_bytes"]),
            ranges(view["layers"]),
            view["pooling"] or "-",
        )
        for name, view in views.items()
    ]
    rows += [(name, "", "", "", "", size_text(size), "", "") for name, size in (totals or {}).items()]
    yield from table([_VIEW_COLUMNS, *rows], right=_RIGHT_ALIGNED)


def table(rows: Sequence[Sequence[str]], right: set[int]) -> Iterator[str]:
    """Lines with columns of equal width.

    :param right: The columns that are aligned to the right.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield ("  " + "  ".join(cells)).rstrip()


def fact(name: str, text: str) -> str:
    """A line of what is known: its name, and what it is."""
    return f"  {name:<12}{text}"


def counted(count: int, plural: str) -> str:
    """``1 word``, ``2,000 words``."""
    return f"{count:,} {plural.removesuffix('s') if count == 1 else plural}"


def some(values: Sequence[str], count: int = 9) -> str:
    """The first few of them, and how many there are."""
    rest = f", ... ({len(values)} in all)" if len(values) > count else ""
    return ", ".join(values[:count]) + rest


def ranges(layers: Sequence[int]) -> str:
    """``3-6`` for layers that follow each other, ``0, 6`` for others."""
    if len(layers) > 2 and list(layers) == list(range(layers[0], layers[0] + len(layers))):
        return f"{layers[0]}-{layers[-1]}"
    return ", ".join(map(str, layers))


def size_text(size: int) -> str:
    """A number of bytes: ``512 bytes``, ``33.7 MiB``."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def duration_text(seconds: float) -> str:
    """A time that is only about right: ``12 s``, ``3 min``, ``5 h 20 min``, ``4.1 days``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes / (24 * 60):,.1f} days"
