"""A chart shows every spike and says what it cannot draw."""

import html
import json
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from lmlab.report.chart import MAX_POINTS, Series, chart, thin


def test_thinning_keeps_spikes_ends_of_range_and_the_first_nan():
    points = [(step, 1.0) for step in range(10_000)]
    points[5003], points[77], points[8000] = (5003, 100.0), (77, -100.0), (8000, math.nan)
    kept = thin(points)
    assert len(kept) <= MAX_POINTS + 1
    assert {(5003, 100.0), (77, -100.0)} <= set(kept)
    assert any(math.isnan(value) for _, value in kept)
    assert [step for step, _ in kept] == sorted(step for step, _ in kept)


def test_few_points_are_all_kept_in_order_of_step():
    assert thin([(3, 1.0), (1, 2.0), (2, 0.5)]) == [(1, 2.0), (2, 0.5), (3, 1.0)]


@pytest.mark.parametrize(
    "values",
    [
        [1.0],
        [0.0, 0.0],
        [1e-9, 1e9],
        [-5.0, 5.0],
        [math.nan, 1.0, math.inf, 2.0],
        [3.0] * 1000,
        [1e300, -1e300],
        [1e-320, 1e308],
    ],
)
@pytest.mark.parametrize("is_log", [False, True])
def test_every_point_lies_inside_the_plot(values, is_log):
    drawn = chart("a", [Series("a", list(enumerate(values)), "train")], last_step=len(values) - 1, is_log=is_log)
    numbers = [float(number) for path in re.findall(r' d="([^"]*)"', drawn) for number in re.findall(r"-?[\d.]+", path)]
    assert numbers
    assert all(0 <= number <= 1000 for number in numbers)
    ElementTree.fromstring(drawn)


def test_the_line_is_broken_where_a_value_is_not_finite_and_a_note_says_so():
    drawn = chart("a", [Series("a", [(1, 1.0), (2, math.nan), (3, 2.0), (4, 1.0)], "val")], last_step=4)
    (path,) = re.findall(r'class="line val" d="([^"]*)"', drawn)
    assert re.sub(r"[\d. ]", "", path) == "MML"
    assert "1 values are NaN or infinite, the first at step 2" in drawn


def test_a_metric_that_is_never_finite_has_no_chart():
    assert chart("a", [Series("a", [(1, math.nan)], "val")], last_step=1) == ""
    assert chart("a", [], last_step=0) == ""


def test_the_values_under_the_pointer_are_those_of_the_run():
    drawn = chart("a", [Series('<"&', [(1, 1.5), (2, math.inf)], "val")], last_step=2)
    data = json.loads(html.unescape(re.search(r'data-chart="([^"]*)"', drawn)[1]), parse_constant=pytest.fail)
    assert data["series"] == [{"name": '<"&', "role": "val", "points": [[1, 1.5, "1.500"], [2, None, "∞"]]}]
