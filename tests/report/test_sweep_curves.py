"""A curve is the mean over the seeds that finished, with a band from their lowest to their highest value."""

import html
import json
import math
import re

from lmlab.report.sweep_curves import curves


def _series(drawn):
    return json.loads(html.unescape(re.search(r'data-chart="([^"]*)"', drawn)[1]))["series"]


def _lines(values, key="val/loss"):
    return [{"step": step, key: value} for step, value in enumerate(values, start=1)]


def test_the_mean_and_the_band_by_hand(make_job):
    jobs = [
        make_job(seed, {"m": "a"}, seed, lines=_lines(values)) for seed, values in enumerate([[4.0, 2.0], [6.0, 2.0]])
    ]
    (drawn,) = curves({"a": jobs}, metric="val/loss")
    assert _series(drawn)[0]["points"] == [[1, 5.0, "5.000"], [2, 2.0, "2.000"]]
    (band,) = re.findall(r'class="band c1" d="([^"]*)"', drawn)
    assert band.count("L") == 3  # up along the highest, back along the lowest
    assert band.startswith("M500.0 53.6L1000.0 946.4L")


def test_a_half_run_does_not_bend_the_mean_of_those_that_finished(make_job):
    done = make_job(0, {}, 0, lines=_lines([4.0, 2.0]))
    half = make_job(1, {}, 1, state="running", lines=_lines([8.0]))
    (drawn,) = curves({"a": [done, half]}, metric="val/loss")
    assert [point[1] for point in _series(drawn)[0]["points"]] == [4.0, 2.0]
    (drawn,) = curves({"a": [half]}, metric="val/loss")
    assert [point[1] for point in _series(drawn)[0]["points"]] == [8.0]


def test_steps_that_not_every_seed_has_are_left_out(make_job):
    jobs = [make_job(seed, {}, seed, lines=_lines([1.0] * length)) for seed, length in enumerate((2, 5))]
    (drawn,) = curves({"a": jobs}, metric="val/loss")
    assert [point[0] for point in _series(drawn)[0]["points"]] == [1, 2]


def test_a_seed_that_diverged_breaks_the_line(make_job):
    jobs = [make_job(seed, {}, seed, lines=_lines(row)) for seed, row in enumerate([[1.0, 1.0], [1.0, math.nan]])]
    (drawn,) = curves({"a": jobs}, metric="val/loss")
    assert [point[1] for point in _series(drawn)[0]["points"]] == [1.0, None]
    assert "NaN" in drawn


def test_a_figure_of_the_end_is_followed_by_the_loss_of_each_split_the_held_out_first(make_job):
    lines = [{"step": 1, "train/loss": 2.0, "val/loss": 3.0}, {"step": 2, "train/loss": 1.0, "val/loss": 2.0}]
    drawn = curves({"a": [make_job(0, {}, 0, lines=lines)]}, metric="test/bleu")
    assert [re.search(r"<b>([^<]*)</b>", one)[1] for one in drawn] == [
        "Loss (nats per token), val",
        "Loss (nats per token), train",
    ]


def test_without_metrics_there_is_no_chart(make_job):
    assert curves({}, metric="val/loss") == []
    assert curves({"a": [make_job(0, {}, 0), make_job(1, {}, 1, None, "queued")]}, metric="val/loss") == []
