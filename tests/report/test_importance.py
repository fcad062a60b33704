"""The share that a key decides is that of Kruskal and Wallis's test, and noise decides nothing."""

import math

import numpy as np
import pytest
from scipy import stats

from lmlab.report.importance import importance, share


def test_the_share_is_from_scipys_h():
    values = [2.9, 3.0, 2.5, 2.6, 3.2, 3.8, 2.7, 4.0, 2.4, 2.8, 3.4, 3.7, 2.2, 2.0, 2.0]
    groups = ["a"] * 5 + ["b"] * 4 + ["c"] * 6
    h = stats.kruskal(values[:5], values[5:9], values[9:]).statistic
    assert share(values, groups) == pytest.approx(max(0.0, (h - 3 + 1) / (15 - 3)))
    clear = ["a" if value < 3 else "b" for value in values]
    h = stats.kruskal(*[[v for v, g in zip(values, clear) if g == group] for group in "ab"]).statistic
    assert share(values, clear) == pytest.approx((h - 2 + 1) / (15 - 2))


def test_nothing_can_be_said_of_one_group_or_of_groups_of_one():
    assert share([1.0, 2.0], ["a", "a"]) is None
    assert share([1.0, 2.0], ["a", "b"]) is None
    assert share([1.0, 1.0, 1.0], ["a", "b", "a"]) == 0.0


def test_what_decides_stands_first_and_noise_near_zero(make_job):
    rng = np.random.default_rng(0)
    jobs = [
        make_job(number, {"lr": 10 ** rng.uniform(-5, -1), "x": rng.uniform(), "model": str(rng.choice(["a", "b"]))}, 1)
        for number in range(200)
    ]
    for job in jobs:
        job.run.summary["val/loss"] = abs(math.log10(job.varied["lr"]) + 3) + 0.3 * (job.varied["model"] == "a")
    found = importance(jobs, metric="val/loss", keys=["x", "model", "lr"], direction="minimize")
    assert list(found)[:2] == ["lr", "model"]
    assert found["lr"] > 0.5
    assert found["x"] < 0.05
    assert "seed" not in found


def test_one_diverged_run_does_not_decide_and_a_nan_is_the_worst(make_sweep):
    losses = {("a",): [1.0, 1.1, 1.2, 1.05], ("b",): [2.0, 2.1, 2.2, 2.05]}
    jobs = make_sweep(["model"], losses)
    whole = importance(jobs, metric="val/loss", keys=["model"], direction="minimize")
    broken = make_sweep(["model"], losses | {("b",): [2.0, 2.1, 2.2, math.nan]})
    assert importance(broken, metric="val/loss", keys=["model"], direction="minimize") == whole
    assert whole["model"] > 0.6
    assert whole["seed"] == 0.0


def test_jobs_that_are_not_done_count_for_nothing(make_sweep):
    jobs = make_sweep(["model"], {("a",): [1.0, 2.0], ("b",): [3.0, 4.0]}, state="running")
    assert importance(jobs, metric="val/loss", keys=["model"], direction="minimize") == {}
