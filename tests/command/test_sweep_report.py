"""`lmlab report SWEEP` prints the sweep's table, writes its page, and refuses what the sweep does not have."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from lmlab import cli
from lmlab.report.execution import DIFFERENCE
from lmlab.report.job import Job
from lmlab.run.folder import RunFolder


@pytest.fixture
def jobs():
    """What the sweep below finds in its table."""
    return []


@pytest.fixture
def sweep(tmp_path, monkeypatch, jobs):
    """Two models x two sizes x three seeds below LMLAB_SWEEPS."""
    folder = tmp_path / "sweeps" / "heads"
    for model, base in (("rnn", 2.0), ("lstm", 1.0)):
        for dim in (16, 32):
            for seed in (1, 2, 3):
                path = folder / "jobs" / str(len(jobs))
                path.mkdir(parents=True)
                figures = {
                    "val/loss": base + 0.01 * seed * base + dim / 1000,
                    "test/accuracy": base / 10 + 0.001 * seed,
                }
                (path / "summary.json").write_text(json.dumps(figures))
                (path / "run.json").write_text("{}")
                (path / "config.yaml").write_text("monitor: val/loss\ndirection: minimize\n")
                jobs.append(Job(len(jobs), {"model": model, "model.dim": dim}, seed, "done", RunFolder(path)))
    (folder / "sweep.sqlite").touch()
    (folder / "command.yaml").touch()
    monkeypatch.setattr("lmlab.launcher.table.jobs_of", lambda _: jobs)
    monkeypatch.setenv("LMLAB_SWEEPS", str(tmp_path / "sweeps"))
    monkeypatch.setenv("LMLAB_RUNS", str(tmp_path / "runs"))
    return folder


@pytest.fixture
def out(capfd):
    def run(*arguments, code=0):
        capfd.readouterr()
        assert cli.run(["report", *arguments]) == code
        shown = capfd.readouterr()
        return shown.err if code else shown.out

    return run


def test_a_sweep_is_named_by_its_name_or_its_path(sweep, out):
    by_name = out("heads")
    assert by_name == out(str(sweep))
    assert by_name.splitlines()[-1] == str(sweep / "report.html")
    assert (sweep / "report.html").is_file()
    assert "val/loss (lower is better)" in by_name
    assert "model  model.dim" in by_name


def test_rows_and_columns_are_keys_of_the_sweep(sweep, out):
    rows = list(csv.DictReader(io.StringIO(out("heads", "rows=model", "columns=model.dim", "format=csv"))))
    assert [(row["model"], row["model.dim"], row["is_best"]) for row in rows] == [
        ("rnn", "16", "false"),
        ("rnn", "32", "false"),
        ("lstm", "16", "true"),
        ("lstm", "32", "true"),
    ]
    assert not (sweep / "report.html").exists()
    assert out("heads", "columns=model", "format=markdown").splitlines()[2].startswith("| model.dim | rnn | lstm |")
    assert "averaged over model, model.dim" in out("heads", "rows=null")


def test_several_metrics_stand_beside_each_other_and_the_first_is_tested(sweep, out):
    shown = out("heads", "metric=val/loss,test/accuracy", "rows=model")
    assert "val/loss (lower is better)" in shown
    assert re.search(r"model +val/loss +test/accuracy\n", shown)
    assert "no job has metric=seconds" in out("heads", "metric=val/loss,seconds", code=2)


def test_speed_memory_and_losses_stand_beside_where_strategies_vary(sweep, out, jobs):
    assert "memory_gb" not in out("heads")
    jobs[:] = [replace(job, varied={**job.varied, "strategy": "ddp"}) for job in jobs]
    head = next(line for line in out("heads").splitlines() if line.startswith("model"))
    assert head.split() == ["model", "model.dim", "strategy", "val/loss", "tokens_per_second", "memory_gb", DIFFERENCE]
    assert "memory_gb" not in out("heads", "metric=val/loss")


def test_the_direction_is_the_sweeps_the_figures_or_the_users(sweep, out):
    assert "higher is better" in out("heads", "metric=test/accuracy")
    assert "lower is better" in out("heads", "metric=test/accuracy", "direction=minimize")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["metric=val/los"], "no job has metric=val/los; did you mean val/loss?"),
        (["rows=modl"], "rows=modl: this does not vary in the sweep; did you mean model"),
        (["columns=seed"], "a seed is a replicate"),
        (["rows=model", "columns=model"], "model is in rows and in columns"),
        (["format=pdf"], "format=pdf is wrong: expected text, markdown, latex, csv"),
        (["direction=up"], "direction=up is wrong: expected minimize, maximize"),
        (["metrics=val/loss"], "no key 'metrics'; did you mean metric?"),
    ],
)
def test_a_mistake_is_one_sentence(sweep, out, words, expected):
    assert expected in out("heads", *words, code=2)


def test_a_run_takes_no_keys_of_a_table(sweep, out, tmp_path):
    run = tmp_path / "runs" / "p" / "r"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    assert "rows=model belongs to the table of a sweep" in out(str(run), "rows=model", code=2)
    assert out(str(run)).strip() == str(run / "report.html")
