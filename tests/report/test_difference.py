"""Two runs differ in what a reader can act on, each difference under its heading."""

import math
import subprocess
import sys

import pytest

from lmlab.report.difference import Change, difference, text


@pytest.fixture
def first(make_run, tmp_path):
    (tmp_path / "a").mkdir()
    return make_run(
        id="a",
        path=tmp_path / "a",
        config={"seed": 1, "model": {"dim": 8}, "lr": 0.1},
        environment={
            "packages": {"torch": "2.12", "numpy": "2.4"},
            "threads": 1,
            "hardware": {"cpu": "EPYC", "gpus": []},
            "code": [{"folder": "/x/lmlab", "commit": "abc", "is_changed": False}],
        },
        summary={"status": "finished", "val/loss": 1.5, "worst": math.nan, "seconds": 3.0, "weights_sha256": "aa"},
    )


@pytest.fixture
def second(make_run, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "code.diff").write_text("# /y/lmlab\n+change\n")
    return make_run(
        id="b",
        path=tmp_path / "b",
        fingerprint="g",
        config={"seed": 1, "model": {"dim": 9, "bias": True}},
        environment={
            "packages": {"torch": "2.13", "numpy": "2.4"},
            "threads": 2,
            "hardware": {"cpu": "EPYC", "gpus": [{"name": "H200"}]},
            "code": [{"folder": "/y/lmlab", "commit": "abc", "is_changed": True}],
        },
        summary={"status": "finished", "val/loss": 1.25, "worst": math.nan, "seconds": 9.0, "weights_sha256": "bb"},
    )


def test_every_difference_stands_under_its_heading(first, second):
    found = difference(first, second)
    assert found.config == [Change("model.dim", 8, 9), Change("lr", 0.1, None), Change("model.bias", None, True)]
    assert found.data == [Change("fingerprint", "f", "g")]
    assert found.packages == [Change("torch", "2.12", "2.13")]
    assert found.machine == [Change("threads", 1, 2), Change("gpus", [], [{"name": "H200"}])]
    assert [change.key for change in found.code] == ["lmlab: changed", "code.diff"]
    assert found.results == [Change("val/loss", 1.5, 1.25)]
    assert found.weights is False
    assert not found.is_repetition


def test_a_run_repeats_itself(first):
    found = difference(first, first)
    assert found.is_repetition
    assert text(found).splitlines()[-2:] == [
        "the same: config, code, data, packages, machine, results",
        "the weights are the same bits",
    ]


def test_the_text_says_by_how_much_a_figure_changed(first, second):
    shown = text(difference(first, second))
    assert "val/loss  1.5 -> 1.25  (-0.2500)" in shown
    assert "lr          0.1 -> (none)" in shown
    assert "the weights are different" in shown


def test_runs_that_say_little_can_be_compared(make_run):
    assert difference(make_run(id="a"), make_run(id="b")).weights is None


def test_reports_import_no_torch():
    modules = "lmlab.report.html, lmlab.report.table, lmlab.report.difference, lmlab.report.sweep_html"
    code = f"import sys, {modules}; print([name for name in ('torch', 'wandb', 'pandas') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
