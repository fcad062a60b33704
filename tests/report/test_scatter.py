"""A scatter plot places every dot inside, with its interval, and stays away where it would show nothing."""

import html
import json
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from lmlab.report.scatter import Dot, scatter


@pytest.mark.parametrize("xs", [[1.0, 2.0], [1e3, 1e9], [-5.0, 0.0, 5.0], [1.0, math.nan, 2.0], [0.0, 1e12]])
def test_every_dot_lies_inside_the_plot(xs):
    dots = [Dot(f"<{x}>", x, y, y - 1, y + 1) for y, x in enumerate(xs)]
    drawn = scatter("loss", dots, x_name="parameters")
    ElementTree.fromstring(drawn)
    numbers = [float(number) for path in re.findall(r' d="([^"]*)"', drawn) for number in re.findall(r"-?[\d.]+", path)]
    assert all(0 <= number <= 1000 for number in numbers)


def test_wide_ranges_are_logarithmic():
    drawn = scatter("loss", [Dot("a", x, 1.0) for x in (1e3, 1e5, 1e7)], x_name="parameters")
    data = json.loads(html.unescape(re.search(r'data-dots="([^"]*)"', drawn)[1]))
    assert data[1][0] == pytest.approx(0.5)
    assert data[0][2:] == ["a", "1.000", "parameters 1,000"]


def test_a_dot_without_an_interval_has_none():
    drawn = scatter("loss", [Dot("a", 1.0, 1.0), Dot("b", 2.0, 1.5, 1.0, 2.0)], x_name="x")
    assert drawn.count("whisker") == 1


@pytest.mark.parametrize("dots", [[], [Dot("a", 1.0, 1.0)], [Dot("a", 1.0, 1.0), Dot("b", 1.0, 2.0)]])
def test_equal_costs_show_no_relation_and_no_plot(dots):
    assert scatter("loss", dots, x_name="x") == ""
