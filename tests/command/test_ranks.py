"""The same experiment on one rank and on several: the same figures, one folder, and an end of the whole when one rank ends."""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

from lmlab.command.evaluate import evaluated
from lmlab.run import checkpoint
from lmlab.run.folder import RunFolder

DDP = ("strategy=ddp", "trainer.devices=2")
BASE = ("batch.size=8", "batch.micro_size=2", "batch.eval_size=1", "trainer.accelerator=cpu", "trainer.max_epochs=null")
EXACT = (
    *BASE,
    "optimizer=adamw",
    "model.dropout=0",
    "trainer.max_steps=100",
    "trainer.val_check_interval=25",
    "checkpoint.every=50",
)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranks")


def trial(home: Path, name: str, *more: str) -> torture.Trial:
    return torture.Trial(home / name, torture.overrides(home, *more))


def finished(home: Path, name: str, *more: str) -> torture.Trial:
    """An experiment left alone, trained once per test session."""
    one = trial(home, name, *more)
    if not one.summary:
        assert one.finish() == 0, one.output.read_text()
    return one


def ranks_of(one: torture.Trial) -> list[psutil.Process]:
    """The living ranks of a trial."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, KeyError):  # it ends at any moment
            words, is_living = process.cmdline(), process.status() != psutil.STATUS_ZOMBIE
            if is_living and "lmlab.rank" in words and str(one.folder) in " ".join(words):
                found[int(process.environ()["RANK"])] = process
    return [found[rank] for rank in sorted(found)]


def until(is_time: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it became time before so many seconds had passed."""
    end = time.monotonic() + seconds
    while not (found := is_time()) and time.monotonic() < end:
        time.sleep(0.002)
    return found


TOLERANCES = {"train/loss": 1e-5, "grad_norm": 1e-4, "word_perplexity": 1e-5}
"""How far figures may be apart; the last is the exponential of several times the loss."""


def tolerance(key: str) -> float:
    """Of any other figure of an evaluation 1e-6; of a count nothing."""
    return TOLERANCES.get(key, TOLERANCES.get(key.rpartition("/")[2], 1e-6 if "/" in key else 0))


def assert_same_figures(one: torture.Trial, other: torture.Trial) -> None:
    """Losses within 1e-5, figures of an evaluation within 1e-6 of each other's size, all counts equal."""
    lines, others = one.lines(), other.lines()
    assert [sorted(line) for line in lines] == [sorted(line) for line in others]
    for line, counterpart in zip(lines, others):
        for key, value in line.items():
            most = tolerance(key) * (1 if key == "train/loss" else max(1, abs(value)))
            assert abs(counterpart[key] - value) <= most, (key, line, counterpart)
    same = ("step", "tokens", "parameters", "best_step")
    assert {key: one.summary[key] for key in same} == {key: other.summary[key] for key in same}
    for found, counterpart in zip(examples(one), examples(other), strict=True):
        assert found[:, 1:].tolist() == counterpart[:, 1:].tolist()
        assert found[:, 0] == pytest.approx(counterpart[:, 0], rel=1e-4)


def examples(one: torture.Trial) -> list[np.ndarray]:
    """What the last evaluations kept of each example: in all, each target once."""
    kept = [(split, RunFolder(one.run).examples(split)) for split in ("val", "test")]
    for split, found in kept:
        nll, targets = found.sums[:, :2].sum(axis=0)
        assert nll / targets == pytest.approx(one.summary[f"{split}/loss"], rel=1e-12)
        assert set(found.sums[:-1, 1]) == {32}
    return [found.sums for _, found in kept]


def test_one_and_two_ranks_have_the_same_losses_and_evaluations(home):
    one = finished(home, "one", *EXACT, "model=transformer")
    two = finished(home, "two", *EXACT, "model=transformer", *DDP, "logger=wandb")
    assert_same_figures(one, two)
    assert len([line for line in two.lines() if "train/loss" in line]) == 100
    # One folder, one W&B run, one lock; nothing is left running.
    assert len(list(two.folder.glob("*/*/run.json"))) == 1
    assert len(list(two.folder.rglob("run-*.wandb"))) == 1
    assert ranks_of(two) == []
    # The checkpoint of two ranks is that of one.
    saved = checkpoint.newest(two.run / "checkpoints")[1]
    alone = checkpoint.newest(one.run / "checkpoints")[1]
    assert saved["state_dict"].keys() == alone["state_dict"].keys()
    assert len(saved["optimizer_states"][0]["state"]) == len(alone["optimizer_states"][0]["state"])


@pytest.mark.slow
def test_one_and_four_ranks_have_the_same_losses_and_evaluations(home):
    one = finished(home, "one", *EXACT, "model=transformer")
    four = finished(home, "four", *EXACT, "model=transformer", "strategy=ddp", "trainer.devices=4")
    assert_same_figures(one, four)


@pytest.mark.slow
def test_a_prime_number_of_windows_is_evaluated_to_the_same_bits_on_any_number_of_ranks(home):
    """At a rate that leaves the weights as they are; sums are of integers, so that one window twice would show."""
    still = ("model=lstm", "optimizer=sgd", "optimizer.lr=1e-30", "trainer.max_steps=2", "trainer.val_check_interval=1")
    words = (*BASE, *still, "batch.seq_len=5")  # 62 and 61 tokens in windows of 5: 13 of them, the last a short one
    trials = [
        finished(home, f"still_{num}", *words, f"strategy={'ddp' if num > 1 else 'single'}", f"trainer.devices={num}")
        for num in (1, 4)
    ]
    first, other = [{key: one.summary[key] for key in one.summary if "/" in key} for one in trials]
    assert {"val/loss", "test/perplexity", "last/val/bits_per_byte"} <= first.keys()
    assert other == first
    for split in ("val", "test"):
        assert evaluated(str(trials[-1].run), split, "best").items() <= first.items()


RESUMED = (*BASE, "trainer.max_steps=24", "checkpoint.every=6", "trainer.val_check_interval=8", "batch.seq_len=7")


def test_ranks_killed_and_resumed_end_with_the_same_bits(home):
    chosen = (*RESUMED, "model=lstm", "batch=streams", "strategy=ddp", "trainer.devices=4")
    reference = finished(home, "streams", *chosen)
    one = trial(home, "streams_killed", *chosen)
    assert one.kill_when(lambda: one.step >= 15)
    assert until(lambda: not ranks_of(one)), "ranks outlive a killed parent"
    state = checkpoint.newest(one.run / "checkpoints")[1]["lmlab"]
    assert sorted(state["carried"]) == [0, 2, 4, 6]  # the rows of all ranks
    assert one.finish() == 0, one.output.read_text()
    assert f"from step {state['step']} " in one.output.read_text()
    assert torture.differences(reference, one) == []
    for found, counterpart in zip(examples(reference), examples(one), strict=True):
        assert (found == counterpart).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen", [("strategy=fsdp", "model=lstm", "batch=streams"), ("strategy=tensor_parallel", "model=transformer")]
)
def test_pieces_killed_and_resumed_end_with_the_same_bits(home, chosen):
    words, name = (*RESUMED, *chosen, "trainer.devices=2"), chosen[0].partition("=")[2]
    reference = finished(home, f"{name}_undisturbed", *words)
    one = trial(home, f"{name}_killed", *words)
    assert one.kill_when(lambda: one.step >= 15)
    assert until(lambda: not ranks_of(one)), "ranks outlive a killed parent"
    saved = one.saved_step
    assert saved >= 6
    assert one.finish() == 0, one.output.read_text()
    assert f"from step {saved} " in one.output.read_text()
    assert torture.differences(reference, one) == []


def test_a_signal_to_any_rank_stops_all_at_one_step_and_one_rank_goes_on(home):
    chosen = (*RESUMED, "model.dropout=0", "model=lstm", "batch=streams", "optimizer=adamw", "checkpoint.every=1000")
    reference = finished(home, "alone", *chosen)
    one = trial(home, "told", *chosen, *DDP)
    process = one.start()
    assert until(lambda: one.step >= 9, 60), one.output.read_text()
    ranks_of(one)[1].send_signal(signal.SIGUSR1)
    process.join()
    output = one.output.read_text()
    assert process.exitcode == 3, output
    assert f"stopped by SIGUSR1 after step {one.saved_step}" in output
    assert "Traceback" not in output
    assert one.step == one.saved_step
    assert one.summary["status"] == "stopped"
    assert ranks_of(one) == []
    alone = torture.Trial(one.folder, [str(one.run), "strategy=single", "trainer.devices=1"], verb="resume")
    assert alone.finish() == 0, one.output.read_text()
    assert_same_figures(reference, one)


def test_a_rank_that_dies_ends_the_others_and_is_named(home):
    one = trial(home, "dead", *RESUMED, "trainer.max_steps=100000", *DDP)
    process = one.start()
    assert until(lambda: one.step >= 5, 60), one.output.read_text()
    ranks_of(one)[1].kill()
    start = time.monotonic()
    process.join()
    assert time.monotonic() - start < 8
    output = one.output.read_text()
    assert process.exitcode == 1, output
    assert "rank 1 was ended by SIGKILL; the others were stopped" in output
    assert one.summary["status"] == "failed"
    assert ranks_of(one) == []


BROKEN = """
import os
from lmlab.optimizer.muon import Muon
class Broken(Muon):
    def step(self, closure=None):
        if os.environ.get("RANK") == "1":
            raise RuntimeError("this rank has an error of its own")
        return super().step(closure)
"""


def test_the_error_of_a_rank_is_shown_and_not_its_echo_in_the_others(home, monkeypatch):
    (home / "broken.py").write_text(BROKEN)
    monkeypatch.chdir(home)
    one = trial(home, "broken", *RESUMED, *DDP, "optimizer._target_=broken.Broken")
    code, said = one.finish(), one.output.read_text()
    assert code == 1, said
    assert "RuntimeError: this rank has an error of its own" in said
    assert "lmlab: rank 1 failed: RuntimeError: this rank has an error of its own" in said
    assert "closed by peer" not in said


POISONED = """
import os
from pathlib import Path
import torch
from lmlab.run.checkpoint import fingerprint
from lmlab.task.language_modeling import LanguageModeling
def is_poisoned():
    return os.environ.get("RANK") == "1"
class Poisoned(LanguageModeling):
    def forward(self, batch, state=None):
        logits, output = super().forward(batch, state)
        return logits * float("nan") if is_poisoned() and self.training and self.step == 3 else logits, output
    def on_after_backward(self):
        super().on_after_backward()
        if is_poisoned() and self.step == 5 and self.micro == self.num_micro:
            gradient = next(self.parameters()).grad
            getattr(gradient, "to_local", lambda: gradient)().fill_(float("nan"))
    def on_train_end(self):
        found = fingerprint(self.trainer.strategy.lightning_module_state_dict())
        (Path(self.trainer.default_root_dir) / ("weights_" + os.environ["RANK"])).write_text(found)
"""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_step_that_one_rank_alone_finds_bad_is_skipped_by_all(home, strategy, monkeypatch):
    """Step 4: the loss of one rank's share is not a number; step 6: the gradient that it has after all were averaged."""
    (home / "poisoned.py").write_text(POISONED)
    monkeypatch.chdir(home)
    ranks = (*RESUMED, "trainer.max_steps=8", f"strategy={strategy}", "trainer.devices=2")
    one = trial(home, f"poisoned_{strategy}", *ranks, "guard.on_nan=skip", "task._target_=poisoned.Poisoned")
    assert one.finish() == 0, one.output.read_text()
    for said in (one.output.read_text(), (one.run / "ranks" / "1.txt").read_text()):
        skipped = [
            line.split(" is skipped")[0].split("step ")[1] for line in said.splitlines() if " is skipped" in line
        ]
        assert skipped == ["4", "6"], said
    assert one.summary["step"] == 8
    weights = {path.read_text() for path in one.run.glob("weights_*")}
    assert weights == {RunFolder(one.run).summary["weights_sha256"]}


def test_pieces_on_two_ranks_give_the_same_losses_and_any_number_of_ranks_goes_on_from_them(home):
    reference = finished(home, "one", *EXACT, "model=transformer")
    one = trial(home, "pieces", *EXACT, "model=transformer", "strategy=fsdp", "trainer.devices=2")
    assert one.signal_when(lambda: one.step >= 30, signal.SIGTERM) == 3, one.output.read_text()
    alone = torture.Trial(one.folder, [str(one.run), "strategy=single", "trainer.devices=1"], verb="resume")
    assert alone.signal_when(lambda: one.step >= 60, signal.SIGTERM) == 3, one.output.read_text()
    again = torture.Trial(one.folder, [str(one.run), "strategy=fsdp", "trainer.devices=2"], verb="resume")
    assert again.finish() == 0, one.output.read_text()
    assert 30 <= one.saved_step == 100
    assert_same_figures(reference, one)


def test_heads_on_two_ranks_give_the_same_losses_and_one_rank_goes_on_from_them(home):
    """With dropout on the branches, which both ranks must draw alike; on the attention weights each has heads of its own."""
    dropout = ("model.dropout=0.2", "model.attention.dropout=0")
    words = ("model=transformer", "model/feedforward=swiglu", "model.attention.num_kv_heads=2", "trainer.max_steps=60")
    words = (*words, *dropout)
    reference = finished(home, "whole_heads", *EXACT, *words)
    heads = ("strategy=tensor_parallel", "trainer.devices=2", "trainer.activation_checkpointing=true")
    one = trial(home, "heads", *EXACT, *words, *heads)
    assert one.signal_when(lambda: one.step >= 20, signal.SIGTERM) == 3, one.output.read_text()
    alone = torture.Trial(one.folder, [str(one.run), "strategy=single", "trainer.devices=1"], verb="resume")
    assert alone.finish() == 0, one.output.read_text()
    assert_same_figures(reference, one)
