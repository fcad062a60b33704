"""A run's folder says what became of the run, whoever asks."""

import math
import subprocess
import sys

import pytest

from lmlab.run.folder import RunFolder, is_run
from lmlab.run.lock import Lock


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path / "20261123-171530-k3f9")
    run.path.mkdir()
    return run


def test_a_run_without_summary_is_unfinished(run):
    assert run.status == "unfinished"


@pytest.mark.parametrize("status", ["finished", "failed", "stopped"])
def test_the_summary_says_what_became_of_the_run(run, status):
    run.write_summary({"status": status})
    assert run.status == status


def test_a_run_that_was_killed_is_unfinished(run):
    run.write_summary({"status": "running"})
    assert run.status == "unfinished"


def test_a_run_is_running_while_its_lock_is_held_whatever_the_summary_says(run):
    run.write_summary({"status": "finished"})
    with Lock(run.path):
        assert run.status == "running"
    assert run.status == "finished"


def test_the_config_comes_back_as_it_was(run):
    config = {"lr": 1e-5, "text": "世界: 'yes'", "list": [1, 2.5, None, True], "deep": {"no": "no", "float": "1e-3"}}
    run.write_config(config)
    assert RunFolder(run.path).config == config


def test_figures_that_are_no_numbers_come_back(run):
    run.write_summary({"status": "failed", "val/loss": math.nan})
    assert math.isnan(run.summary["val/loss"])


def test_a_folder_is_a_run_once_its_manifest_stands(run):
    assert not is_run(run.path)
    run.write_manifest({"name": "first", "overrides": ["seed=1"], "identity": "abc", "project": "p"})
    assert is_run(run.path)
    assert (run.id, run.name, run.overrides, run.identity) == ("20261123-171530-k3f9", "first", ["seed=1"], "abc")


def test_samples_come_in_order_of_step_and_the_final_one_last(run):
    for name in ("step_000020", "final", "step_000003"):
        run.write_text(name, f"{name} 世界")
    assert list(run.texts()) == ["step_000003", "step_000020", "final"]
    assert run.texts()["final"] == "final 世界"


def test_an_empty_folder_reads_as_empty(run):
    assert (run.config, run.summary, run.environment, run.metrics(), run.texts()) == ({}, {}, {}, [], {})


def test_reading_runs_needs_neither_torch_nor_wandb():
    modules = ["torch", "wandb", "pandas", "matplotlib", "numpy"]
    code = f"import sys, lmlab.run.store, lmlab.run.identity; print([m for m in {modules} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
