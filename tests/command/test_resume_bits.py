"""A run killed or stopped at any moment and given the same command again ends with the bits of one left alone."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

from lmlab.run import checkpoint

SHORT = ("trainer.max_epochs=null", "trainer.max_steps=24", "batch.seq_len=13")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("torture")


def trial(home: Path, name: str, *more: str) -> torture.Trial:
    return torture.Trial(home / name, torture.overrides(home, *more))


def undisturbed(home: Path, name: str, *more: str) -> torture.Trial:
    """The same experiment left alone, trained once per test session."""
    one = trial(home, f"{name}_reference", *more)
    if not one.summary:
        assert one.finish() == 0, one.output.read_text()
    return one


def assert_equal_end(one: torture.Trial, reference: torture.Trial) -> None:
    code = one.finish()
    assert code == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
    assert len(str(one.summary["weights_sha256"])) == 64


def at(one: torture.Trial, step: int):
    """When the metrics of the step are written."""
    return lambda: one.step >= step


CASES = [(model, batch, workers) for model in torture.MODELS for batch in torture.BATCHES[model] for workers in (0, 2)]
QUICK = {("rnn", "windows", 2), ("lstm", "streams", 2), ("gru", "streams", 0), ("transformer", "windows", 0)}


@pytest.mark.parametrize(
    ("model", "batch", "workers"), [pytest.param(*c, marks=() if c in QUICK else pytest.mark.slow) for c in CASES]
)
def test_killed_at_random_moments_and_resumed_it_ends_with_the_same_bits(home, model, batch, workers):
    name, chosen = f"{model}_{batch}", (f"model={model}", f"batch={batch}")
    reference = undisturbed(home, name, *chosen)
    one = trial(home, f"{name}_{workers}", *chosen, f"batch.num_workers={workers}")
    kills = 3 if (model, batch, workers) in QUICK else 5
    found = torture.torture(one, reference, kills=kills, chance=random.Random(f"{name} {workers}"))
    assert found == [], f"killed at {one.kills}: {found}\n{one.output.read_text()}"
    assert one.kills


VARIANTS = {
    "ema": ("ema.decay=0.9",),
    "plateau": ("schedule=plateau", "optimizer.lr=0.1", "trainer.val_check_interval=2"),
    "guard": ("guard.on_nan=skip", "guard.spike=1.001", "optimizer.lr=0.05"),
    "muon": ("optimizer=muon", "samples.every=4", "task.label_smoothing=0.1"),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_callback_remembers_survives_a_kill(home, variant):
    chosen = ("model=lstm", *SHORT, *VARIANTS[variant])
    reference = undisturbed(home, variant, *chosen)
    one = trial(home, variant, *chosen)
    assert one.kill_when(at(one, 14))
    assert_equal_end(one, reference)
    text = reference.output.read_text()
    assert variant != "guard" or "is skipped" in text
    assert variant != "plateau" or len({line["lr"] for line in reference.lines() if "lr" in line}) > 2


def test_the_mean_of_the_weights_is_what_is_kept_when_the_kill_comes_after_the_last_step(home):
    chosen = ("model=lstm", *SHORT, *VARIANTS["ema"])
    reference = undisturbed(home, "ema", *chosen)
    one = trial(home, "ema_late", *chosen)
    assert one.finish() == 0
    (one.run / "summary.json").unlink()  # as if killed before it was written: the same command concludes again
    assert_equal_end(one, reference)


STOPPING = ("model=gru", "early_stopping.patience=2", "early_stopping.min_delta=1", "trainer.val_check_interval=4")


def test_early_stopping_decides_alike_when_killed_before_and_after_the_decision(home):
    reference = undisturbed(home, "stopping", *STOPPING)
    # The first validation is better than nothing, the two after it are no better by min_delta.
    assert reference.step == 12
    one = trial(home, "stopping", *STOPPING)
    assert one.kill_when(lambda: one.step >= 12 and "stopping early" in one.output.read_text())
    assert_equal_end(one, reference)
    late = trial(home, "stopping_late", *STOPPING)
    assert late.finish() == 0
    (late.run / "summary.json").unlink()
    assert_equal_end(late, reference)


@pytest.mark.parametrize(
    ("name", "workers"), [("SIGTERM", 0), ("SIGUSR1", 2), ("SIGINT", 2)], ids=lambda value: str(value)
)
def test_a_signal_stops_at_a_step_border_with_exit_code_3(home, name, workers):
    chosen = ("model=transformer", "checkpoint.every=1000")
    reference = undisturbed(home, "signal", *chosen)
    one = trial(home, f"signal_{name}", *chosen, f"batch.num_workers={workers}")
    code = one.signal_when(at(one, 7), getattr(signal, name))
    output = one.output.read_text()
    assert code == 3, output
    assert f"stopped by {name} after step {one.saved_step}" in output
    assert "Traceback" not in output
    assert one.saved_step == one.step >= 7
    assert one.summary["status"] == "stopped"
    assert_equal_end(one, reference)


def test_a_signal_to_the_whole_group_stops_it_too(home):
    # What Ctrl-C in a terminal and a cluster's warning do: the workers get the signal as well.
    chosen = ("model=transformer", "checkpoint.every=1000")
    reference = undisturbed(home, "signal", *chosen)
    one = trial(home, "signal_group", *chosen, "batch.num_workers=2")

    def workers_are_told() -> bool:
        if one.step < 7:
            return False
        for pid in children(process.pid):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
                os.kill(pid, number)
        return True

    process = one.start()
    while process.is_alive() and not workers_are_told():
        pass
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 3, one.output.read_text()
    assert_equal_end(one, reference)


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    return [int(word) for task in Path(f"/proc/{pid}/task").glob("*/children") for word in task.read_text().split()]


def test_of_two_equal_commands_at_once_one_trains_and_the_other_says_where(home):
    chosen = ("model=rnn", *SHORT, "seed=5")
    one = trial(home, "twins", *chosen)
    processes = [one.start(), one.start()]
    for process in processes:
        process.join()
    assert sorted(process.exitcode for process in processes) in ([0, 2],), one.output.read_text()
    assert "is running on" in one.output.read_text()
    assert len(list(one.folder.glob("*/*/run.json"))) == 1


def test_a_damaged_newest_checkpoint_falls_back_and_ends_with_the_same_bits(home):
    chosen = ("model=lstm", *SHORT)
    reference = undisturbed(home, "damaged", *chosen)
    one = trial(home, "damaged", *chosen)
    assert one.kill_when(lambda: one.saved_step >= 9)
    newest = checkpoint.saved_steps(one.run / "checkpoints")[0]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    assert_equal_end(one, reference)
    assert "falling back" in one.output.read_text()
    assert f"from step {checkpoint.step_of(newest) - 3} " in one.output.read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_a_disk_that_becomes_full_keeps_the_last_good_checkpoint_and_it_resumes(home, small_disk):
    chosen = ("model=lstm", *SHORT, "fresh=false")
    reference = undisturbed(home, "damaged", *chosen)
    one = torture.Trial(small_disk, reference.overrides)
    ballast = small_disk / "ballast"

    def filled() -> bool:
        if one.saved_step < 6:
            return False
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                return True
        return True

    code = run_until(one, filled)
    output = one.output.read_text()
    assert code == 3, output
    assert "Traceback" not in output
    found = checkpoint.newest(one.run / "checkpoints")
    assert found is not None
    assert found[1]["lmlab"]["step"] >= 6
    assert not list(one.run.glob("checkpoints/*.tmp-*"))
    ballast.unlink()
    assert_equal_end(one, reference)


def run_until(one: torture.Trial, act) -> int:
    """Starts it, acts once, and waits for its end."""
    process = one.start()
    while process.is_alive() and not act():
        pass
    process.join()
    return process.exitcode


def test_a_wandb_run_goes_on_under_its_id(home):
    chosen = ("model=rnn", *SHORT)
    one = trial(home, "wandb", *chosen, "logger=wandb")
    assert one.kill_when(at(one, 13))
    assert one.finish() == 0, one.output.read_text()
    files = sorted(one.folder.rglob("offline-run-*/run-*.wandb"))
    assert len(files) == 2
    assert len({path.name for path in files}) == 1
    rows = [steps(path) for path in sorted(files, key=lambda path: path.parent.name)]
    resumed = one.output.read_text().split("from step ")[1].split()[0]
    assert rows[1] == sorted(rows[1])
    assert rows[1][0] == int(resumed) + 1
    assert rows[1][-1] == 24


def steps(path: Path) -> list[int]:
    """The steps in an offline file, by W&B's own reader."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line["history"]["item"] for line in map(json.loads, text.splitlines()) if line["type"] == "history"]
    return [row["step"] for row in rows if "train/loss" in row]
