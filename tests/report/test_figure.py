"""Figures have enough digits and no more."""

import math

import pytest

from lmlab.report.figure import duration, figure, short


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (True, "True"),
        ("text", "text"),
        (1234567, "1,234,567"),
        (0, "0"),
        (0.0, "0"),
        (1.23456, "1.235"),
        (12.3456, "12.35"),
        (1234.56, "1,235"),
        (-0.056789, "-0.05679"),
        (3e-5, "3e-05"),
        (2.5e9, "2.5e+09"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_a_figure_has_four_digits(value, written):
    assert figure(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (1200, "1200"),
        (12_300, "12.3k"),
        (9_970_432, "9.97M"),
        (1.2e9, "1.2B"),
        (5e-4, "5e-4"),
        (0.002, "0.002"),
    ],
)
def test_a_mark_is_short(value, written):
    assert short(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.04, "0.0 s"), (45, "45 s"), (59.7, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (356_400, "4 d 3 h")],
)
def test_a_duration_has_two_units(seconds, written):
    assert duration(seconds) == written
