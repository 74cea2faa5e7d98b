"""How numbers are written: scores in percent with one decimal, sizes, times, multiples."""

from __future__ import annotations

import math

NOTHING = "–"
"""Stands where there is no number."""

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def percent(score: float | None) -> str:
    """A score of 0 to 1: ``68.1``."""
    return NOTHING if score is None or not math.isfinite(score) else minus(f"{100 * score:.1f}")


def plus_minus(mean: float, sd: float, num_seeds: int) -> str:
    """Mean and standard deviation: ``68.1 ± 0.3``; one seed has none."""
    return percent(mean) if num_seeds < 2 else f"{percent(mean)} ± {percent(sd)}"


def interval(low: float, high: float) -> str:
    """Both ends, in percent: ``67.8–68.4``; ``−0.9 to 0.1`` where one is below zero."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NOTHING
    return f"{percent(low)} to {percent(high)}" if low < 0 else f"{percent(low)}–{percent(high)}"


def difference(points: float) -> str:
    """With its sign, in points of percent: ``+0.4``, ``−1.2``, ``0.0``."""
    text = percent(points)
    return f"+{text}" if points > 0 and text != "0.0" else text


def minus(text: str) -> str:
    """The same with a true minus sign; minus nothing is nothing."""
    return text.lstrip("-") if text.strip("-0.") == "" else text.replace("-", "−")


def p_value(p: float) -> str:
    """``0.12``, ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def size(num_bytes: float) -> str:
    """``1,536 bytes``, ``12.3 MB``; 1 MB is a million bytes."""
    if num_bytes < 10_000:
        return f"{num_bytes:,.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        num_bytes /= 1000
        if num_bytes < 1000:
            return f"{num_bytes:.1f} {unit}"
    return f"{num_bytes / 1000:,.1f} TB"


def seconds(value: float | None) -> str:
    """``0.8 s``, ``12 s``, ``3 min``, ``2 h 5 min``."""
    if value is None:
        return NOTHING
    if value < 100:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def times(ratio: float) -> str:
    """A multiple in words: ``four times``, ``twice``, ``1.5 times``; ``as much as`` belongs behind it."""
    whole = round(ratio)
    if abs(ratio - whole) > 0.04:
        return f"{ratio:.1f} times"
    return {1: "just", 2: "twice"}.get(whole) or f"{in_words(whole)} times"


def in_words(count: int) -> str:
    """``four``; digits above twelve."""
    return _COUNTS[count] if 0 <= count < len(_COUNTS) else f"{count:,}"


def counted(count: int, plural: str) -> str:
    """``1 seed``, ``5 seeds``."""
    return f"{count:,} {plural.removesuffix('s') if count == 1 else plural}"


def listed(items: list[str], most: int = 100) -> str:
    """``a, b and c``; beyond ``most``, how many others."""
    if len(items) > most + 1:
        items = [*items[:most], f"{len(items) - most} others"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
