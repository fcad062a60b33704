"""A sweep from its command line: checked as a whole, run in processes of its own, found again, continued."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lmlab import cli, config
from lmlab.launcher.table import Table, jobs_of
from lmlab.report.execution import DIFFERENCE, compared
from lmlab.run.folder import RunFolder

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LMLAB_SWEEPS", str(tmp_path / "sweeps"))
    return tmp_path


@pytest.fixture
def run(place, tiny, capfd, caplog):
    """Runs a sweep of tiny jobs; its exit code, what it printed, and what it said."""

    def sweep(*overrides):
        code = cli.run(
            ["train", "-m", *[word for word in tiny() if word.split("=")[0] not in named(overrides)], *overrides]
        )
        out, error = capfd.readouterr()
        return code, out, error + caplog.text

    return sweep


def named(overrides):
    return [word.split("=")[0] for word in overrides]


def rows(place, name):
    return Table(place / "sweeps" / name).rows()


def summary(place, name, row):
    return RunFolder(place / "sweeps" / name / row.run).summary


def test_jobs_end_with_the_bits_of_the_same_command_alone_and_are_not_run_again(run, place, tiny):
    code, out, _ = run("model=lstm,transformer", "seed=1,2", "sweep.name=four", "sweep.parallel=2", "model.dropout=0.1")
    assert code == 0
    assert "4 of 4 jobs done, 0 failed" in out
    found = rows(place, "four")
    assert [(row.varied["model"], row.seed) for row in found] == [
        ("lstm", 1), ("lstm", 2), ("transformer", 1), ("transformer", 2),
    ]  # fmt: skip
    last = found[-1]
    alone = [*tiny("model.dropout=0.1"), "model=transformer", "seed=2", f"output_dir={place / 'alone'}"]
    assert cli.run(["train", *alone]) == 0
    assert (
        summary(place, "four", last)["weights_sha256"]
        == RunFolder(place / "alone" / "latest").summary["weights_sha256"]
    )
    before = {row.number: (row.attempts, row.run) for row in found}
    code, out, _ = run(
        "model=lstm,transformer,gru", "seed=1,2", "sweep.name=four", "sweep.parallel=1", "model.dropout=0.1"
    )
    assert "6 of 6 jobs done" in out
    after = rows(place, "four")
    assert {row.number: (row.attempts, row.run) for row in after[:4]} == before
    assert [row.varied["model"] for row in after[4:]] == ["gru", "gru"]


def test_one_bad_point_is_named_and_none_starts(run, place):
    code, _out, error = run("model.attention.num_heads=1,2,3,5")
    assert code == 2
    assert "model.attention.num_heads=3" in error
    assert "model.attention.num_heads=5" in error
    assert not (place / "sweeps").exists()


def test_a_failed_job_stops_no_other_and_is_shown_with_its_log(run, place):
    code, out, error = run("optimizer=sgd", "optimizer.lr=1e12,0.1", "trainer.max_steps=30", "sweep.name=bad")
    assert code == 1
    assert "1 of 2 jobs done, 1 failed" in out
    assert "training has diverged" in error
    assert [row.state for row in rows(place, "bad")] == ["failed", "done"]


def test_a_job_that_hangs_is_ended_by_its_time(run, place):
    code, _out, error = run("trainer.max_steps=-1,2", "sweep.job_timeout=6", "sweep.name=late", "sweep.parallel=2")
    assert code == 1
    assert "sweep.job_timeout=6" in error
    assert [row.state for row in rows(place, "late")] == ["failed", "done"]


def start(place, *overrides):
    return subprocess.Popen(
        [sys.executable, "-m", "lmlab", "train", "-m", *overrides, "sweep.name=cut", "sweep.parallel=1"],
        cwd=place, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(condition, process):
    import time

    end = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def is_running(place):
    path = place / "sweeps" / "cut" / "sweep.sqlite"
    return path.exists() and any(row.state == "running" for row in Table(path.parent).rows())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a killed sweep's jobs end by themselves")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=str)
def test_a_sweep_that_is_killed_or_stopped_leaves_no_orphan_and_is_continued(place, tiny, number, capfd):
    overrides = [*tiny("trainer.max_steps=200", "checkpoint.every=20", "seed=1,2")]
    overrides.remove("trainer.max_steps=2")
    process = start(place, *overrides)
    wait_for(lambda: is_running(place) and list(place.glob("sweeps/cut/lmlab/*/checkpoints/step_*.ckpt")), process)
    os.kill(process.pid, number)
    process.wait()
    assert process.returncode == (-9 if number == signal.SIGKILL else 3)
    assert cli.run(["retry", "cut"]) == 0
    assert "2 of 2 jobs done" in capfd.readouterr().out
    assert len(list(place.glob("sweeps/cut/lmlab/*/run.json"))) == 2


def test_a_sweep_that_is_running_is_not_run_twice(place, tiny, capfd):
    process = start(place, *[word for word in tiny("trainer.max_steps=100000") if word != "trainer.max_steps=2"])
    wait_for(lambda: is_running(place), process)
    assert cli.run(["retry", "cut"]) == 2
    assert "is running on" in capfd.readouterr().err
    assert cli.run(["status", "cut"]) == 0
    assert "1 running" in capfd.readouterr().out
    assert cli.run(["stop", "cut"]) == 0
    assert process.wait() == 3
    assert cli.run(["status", "cut"]) == 0
    assert "nobody works on it" in capfd.readouterr().out


def test_offline_wandb_makes_one_run_a_job_in_the_sweeps_group(run, place):
    code, _, error = run("seed=1,2", "logger=wandb", "sweep.name=mirrored")
    assert code == 0, error
    ids = [
        path.parent.name.rpartition("-")[2]
        for path in place.glob("sweeps/mirrored/*/*/wandb/offline-run-*/run-*.wandb")
    ]
    assert len(ids) == len(set(ids)) == 2


def test_a_search_prunes_on_the_mean_over_seeds_and_goes_on_where_it_was(run, place):
    space = ("optimizer=adamw", "optimizer.lr=tag(log,interval(1e-6,1e-1))", "seed=1,2", "trainer.max_steps=6")
    more = ("trainer.val_check_interval=2", "sweep.name=found", "sweep.search=tpe", "sweep.pruner=asha")
    code, _, error = run(*space, *more, "sweep.num_trials=3")
    assert code == 0, error
    first = rows(place, "found")
    assert len(first) == 6
    assert all(row.state in ("done", "pruned") for row in first)
    assert len({row.varied["optimizer.lr"] for row in first}) == 3
    run(*space, *more, "sweep.num_trials=5")
    after = rows(place, "found")
    assert len(after) == 10
    assert [(row.identity, row.run) for row in after[:6]] == [(row.identity, row.run) for row in first]
    assert len({row.varied["optimizer.lr"] for row in after}) == 5


def test_several_objectives_are_searched_and_not_pruned(run, place):
    two = ("sweep.metric=[val/loss,parameters]", "sweep.direction=[minimize,minimize]", "sweep.search=nsga2")
    code, _, error = run("model.dim=8,16,24", *two, "sweep.pruner=median", "sweep.num_trials=2")
    assert code == 2
    assert "sweep.pruner=null" in error
    code, _out, error = run("model.dim=8,16,24", *two, "sweep.num_trials=2", "sweep.name=two")
    assert code == 0, error


def test_a_file_is_a_sweep_without_m(place, tiny, capfd):
    (place / "experiments" / "sweep").mkdir(parents=True)
    (place / "experiments" / "sweep" / "mine.yaml").write_text(
        "# @package _global_\n# Mine\nsweep:\n  name: mine\n"
        "  grid:\n    - model.attention.num_heads: [1, 2]\n    - model: [lstm]\n"
    )
    assert cli.run(["train", *tiny(), "sweep=mine"]) == 0
    assert "3 of 3 jobs done" in capfd.readouterr().out
    assert json.loads((Path("sweeps/mine/latest/run.json")).read_text())["project"] == "lmlab"


def test_ranks_of_a_jobs_ddp_train_the_jobs_own_values(run, place):
    """Under Hydra's own multirun Lightning's ranks re-run the command line, each with values of its own."""
    swept = ("strategy=ddp", "trainer.devices=1,2", "optimizer=sgd", "optimizer.lr=0.01,0.1", "schedule=constant")
    more = ("schedule.warmup_steps=0", "trainer.log_every=1", "sweep.name=ranks", "sweep.parallel=1")
    code, out, error = run(*swept, *more)
    assert code == 0, error
    assert re.search(r"val/loss +tokens_per_second +memory_gb +train_loss_difference\n", out)
    differences = [job.figures[DIFFERENCE] for job in compared(jobs_of(place / "sweeps" / "ranks"))]
    assert len(differences) == 4
    assert max(differences) < 1e-5
    figures = {
        (row.varied["trainer.devices"], row.varied["optimizer.lr"]): summary(place, "ranks", row)
        for row in rows(place, "ranks")
    }
    assert len(figures) == 4
    for lr in (0.01, 0.1):
        assert figures[1, lr]["val/loss"] == pytest.approx(figures[2, lr]["val/loss"], rel=1e-5)
        assert figures[1, lr]["tokens"] == figures[2, lr]["tokens"]
    assert figures[2, 0.01]["val/loss"] != pytest.approx(figures[2, 0.1]["val/loss"], rel=1e-5)
    assert len(list(place.glob("sweeps/ranks/lmlab/*/run.json"))) == 4


def test_ranks_of_a_trial_train_the_trials_own_values(run, place, tiny):
    fixed = ("optimizer=sgd", "schedule=constant", "schedule.warmup_steps=0")
    search = (
        "optimizer.lr=tag(log,interval(0.001,1))",
        "sweep.search=random",
        "sweep.num_trials=2",
        "sweep.parallel=1",
    )
    ranks = ("strategy=ddp", "trainer.devices=2", "logger=wandb", "sweep.name=trials")
    code, _, error = run(*fixed, *search, *ranks)
    assert code == 0, error
    losses = []
    for row in rows(place, "trials"):
        rate, folder = row.varied["optimizer.lr"], place / "sweeps" / "trials" / row.run
        assert config.stored(folder / "ranks" / "config.yaml").optimizer.lr == rate
        alone = place / f"alone_{row.number}"
        assert cli.run(["train", *tiny(), *fixed, f"optimizer.lr={rate!r}", f"output_dir={alone}"]) == 0
        losses.append(summary(place, "trials", row)["val/loss"])
        assert losses[-1] == pytest.approx(RunFolder(alone / "latest").summary["val/loss"], rel=1e-5)
    assert losses[0] != pytest.approx(losses[1], rel=1e-4)
    assert len(list(place.glob("sweeps/trials/lmlab/*/run.json"))) == 2
    assert len(list(place.glob("sweeps/trials/**/run-*.wandb"))) == 2


def test_check_names_every_job_and_what_all_of_them_cost(place, tiny, capfd):
    assert cli.run(["check", "-m", *tiny(), "model=lstm,transformer", "seed=1,2"]) == 0
    out = capfd.readouterr().out
    assert out.count("model=lstm") == 2
    assert "4, " in out
    assert "training FLOPs" in out
    assert not (place / "sweeps").exists()


@pytest.mark.parametrize(
    ("kind", "swept", "column"),
    [("params", "model=transformer,lstm", 1), ("flops", "model=transformer,lstm", 2), ("tokens", "batch.size=4,8", 2)],
)
def test_points_are_made_equal_to_the_first(place, tiny, kind, swept, column, capfd):
    command = ["check", "-m", *tiny("trainer.max_steps=40", "model.dim=32"), swept]
    figures = []
    for matched in ([], [f"sweep.match={kind}"]):
        assert cli.run([*command, *matched]) == 0
        lines = [line for line in capfd.readouterr().out.splitlines() if swept.partition("=")[0] + "=" in line]
        figures.append([float(line.split()[column].replace(",", "")) for line in lines])
    (first, before), (kept, after) = figures
    assert kept == pytest.approx(first, rel=0.01)
    assert before != pytest.approx(first, rel=0.05), "they differ where nothing makes them equal"
    assert after == pytest.approx(first, rel=0.05)


def test_points_that_take_equal_time_are_measured_once(run, place):
    command = ["model=lstm,transformer", "sweep.name=time", "sweep.match=time", "trainer.max_steps=20"]
    assert run(*command)[0] == 0
    seconds = json.loads((place / "sweeps" / "time" / "seconds.json").read_text())
    steps = [summary(place, "time", row)["step"] for row in rows(place, "time")]
    (first, second), each = steps, list(seconds.values())
    assert first == 20
    assert second == max(1, round(20 * each[0] / each[1]))
    code, out, _ = run(*command)
    assert (code, "2 of 2 jobs done" in out) == (0, True), "the same jobs, not others by a new measurement"


def test_a_search_is_not_matched(place, tiny, capfd):
    assert cli.run(["check", "-m", *tiny(), "model=lstm,gru", "sweep.search=random", "sweep.match=tokens"]) == 2
    assert "sweep.match=null" in capfd.readouterr().err


def test_time_is_not_measured_on_several_devices(place, tiny, capfd):
    words = ["model=lstm,gru", "sweep.match=time", "strategy=ddp", "trainer.devices=2"]
    assert cli.run(["check", "-m", *tiny(), *words]) == 2
    assert "trainer.devices=1" in capfd.readouterr().err
