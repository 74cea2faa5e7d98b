from __future__ import annotations

import math
import re
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

import embedpipe.report
from embedpipe.report.svg import NUM_COLOURS, Scale, colour, element, number, padded, shape, text

CSS = (Path(embedpipe.report.__file__).parent / "page.css").read_text(encoding="utf-8")
FINITE = st.floats(-1e6, 1e6)


@given(FINITE, FINITE, st.floats(0, 1))
def test_scale_keeps_within_its_ends(low: float, high: float, part: float) -> None:
    low, high = min(low, high), max(low, high)
    scale = Scale(low, high, 10, 200)
    assert 10 - 1e-6 <= scale(low + part * (high - low)) <= 200 + 1e-6


@given(FINITE, st.floats(1e-4, 1e6))
def test_ticks_are_few_evenly_apart_and_within_the_scale(low: float, span: float) -> None:
    scale = Scale(low, low + span, 0, 1)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 8
    slack = 1e-6 * max(span, abs(low))
    assert all(scale.low - slack <= tick <= scale.high + slack for tick in ticks)
    steps = [after - before for before, after in pairwise(ticks)]
    assert all(math.isclose(step, steps[0], rel_tol=1e-3, abs_tol=slack) for step in steps)


def test_scale_without_width_puts_everything_in_the_middle() -> None:
    assert Scale(3, 3, 0, 10)(3) == 5
    assert Scale(3, 3, 0, 10).ticks() == [3]


def test_logarithmic_scale_has_equal_factors_equally_far_apart() -> None:
    scale = Scale(1, 16, 0, 4, logarithmic=True)
    assert [round(scale(value), 9) for value in (1, 2, 4, 8, 16)] == [0, 1, 2, 3, 4]


def test_padding_of_scores_stays_between_none_and_all() -> None:
    assert padded([0.0, 1.0]) == (0.0, 1.0)
    low, high = padded([0.5, float("nan")])
    assert low < 0.5 < high


@given(st.text())
def test_text_of_an_element_is_escaped(words: str) -> None:
    inside = re.sub(r"^<text[^>]*/?>|</text>$", "", str(text(0, 0, words)))
    assert "<" not in inside
    assert Markup(inside).unescape() == words or not words


def test_attribute_cannot_be_left() -> None:
    assert 'aria-label="&#34;&gt;"' in element("svg", aria_label='">')


@pytest.mark.parametrize(("value", "written"), [(12.34, "12.3"), (12.0, "12"), (-0.01, "0"), (0.05, "0.1")])
def test_numbers_of_drawings_are_short(value: float, written: str) -> None:
    assert number(value) == written


def test_series_differ_in_shape_as_well_as_in_colour() -> None:
    marks = [(shape(series), colour(series)) for series in range(9 * NUM_COLOURS)]
    assert len(set(marks)) == len(marks)
    assert all(before[0] != after[0] and before[1] != after[1] for before, after in pairwise(marks))


def scheme(dark: bool) -> dict[str, str]:
    blocks = re.findall(r":root\{(.*?)\}", CSS, flags=re.DOTALL)
    return dict(re.findall(r"--([a-z]\w*):(#[0-9a-f]{6})", blocks[1 if dark else 0]))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_told_from_what_is_behind_it(dark: bool) -> None:
    colours = scheme(dark)
    on_paper = ["ink", "quiet", "link", "good", "bad", *(f"c{i}" for i in range(NUM_COLOURS))]
    pairs = [
        *product(on_paper, ["paper"]),
        *product(["ink"], [f"h{i}" for i in range(7)]),
        *product(["ink", "quiet", "good"], ["soft"]),
    ]
    assert {
        f"{one} on {other}": contrast(colours[one], colours[other])
        for one, other in pairs
        if contrast(colours[one], colours[other]) < 4.5
    } == {}
