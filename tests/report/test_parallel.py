"""Parallel coordinates place every value on its axis and break where a configuration has no such key."""

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from lmlab.report.parallel import Line, parallel


def _paths(drawn):
    return re.findall(r'class="line [^"]*" d="([^"]*)"', drawn)


def test_categories_stand_at_equal_distances_and_the_figure_on_a_scale():
    drawn = parallel(["model", "loss"], [Line(["a", 1.0], "grey"), Line(["b", 3.0], "val")])
    assert _paths(drawn) == ["M250.0 750.0L750.0 946.4", "M250.0 250.0L750.0 53.6"]
    ElementTree.fromstring(drawn)


def test_a_line_is_broken_where_there_is_no_such_key():
    (path, _) = _paths(parallel(["a", "b", "c"], [Line([1, None, 2.0], "grey"), Line([2, 3, 3.0], "grey")]))
    assert re.sub(r"[\d. ]", "", path) == "MM"


def test_few_numbers_are_in_order_of_size_and_many_on_a_scale():
    few = parallel(["heads", "loss"], [Line([heads, 1.0], "grey") for heads in (8, 2, 16)])
    assert few.index(">2<") < few.index(">8<") < few.index(">16<")
    rates = [10.0**-power for power in range(1, 9)]
    many = _paths(parallel(["lr", "loss"], [Line([rate, 1.0], "grey") for rate in rates]))
    heights = [float(re.match(r"M[\d.]+ ([\d.]+)", path)[1]) for path in many]
    steps = [second - first for first, second in itertools.pairwise(heights)]
    assert max(steps) - min(steps) < 0.2  # logarithmic


@pytest.mark.parametrize("values", [[math.nan, 1.0], [True, "true"], ["<b>", None], [[1, 2], 3], [None, None]])
def test_any_values_are_drawn(values):
    drawn = parallel(["a", "b"], [Line([value, value], "grey") for value in values])
    ElementTree.fromstring(drawn)
    assert "<b>" not in drawn


def test_one_axis_or_no_line_is_no_drawing():
    assert parallel(["a"], [Line([1], "grey")]) == parallel(["a", "b"], []) == ""
