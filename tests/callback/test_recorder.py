"""What a line of metrics.jsonl holds, and that a resumed run writes the lines of an undisturbed one."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch

from lmlab.callback.recorder import Recorder

TRAINER = Mock(spec=pl.Trainer)


class Clock:
    """Time that passes only when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr("lmlab.callback.recorder.time.perf_counter", one)
    return one


def module(step: int = 0) -> Any:
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}, {"lr": 0.3}])
    return SimpleNamespace(step=step, micro=0, tokens=step * 50, latest={}, optimizers=lambda: optimizer)


def losses(number: int) -> list[torch.Tensor]:
    return list(torch.rand(number, generator=torch.Generator().manual_seed(3)) * 5)


def run(recorder: Recorder, task: Any, values: list[torch.Tensor], clock: Clock) -> None:
    for value in values:
        clock.now += 2
        task.step, task.tokens = task.step + 1, task.tokens + 50
        task.latest.update({"loss": value, "train/balance": value / 100, "grad_norm": torch.tensor(0.25)})
        task.micro = 1
        recorder.on_train_batch_end(TRAINER, task, None, None, 0)  # within a step: nothing counts
        task.micro = 0
        recorder.on_train_batch_end(TRAINER, task, None, None, 0)


def made() -> tuple[Recorder, list[Any]]:
    lines: list[Any] = []
    return Recorder(sink=lambda *line: lines.append(line), log_every=3), lines


def test_a_line_holds_the_mean_since_the_line_before(clock):
    recorder, lines = made()
    task, values = module(), losses(7)
    recorder.on_train_start(TRAINER, task)
    run(recorder, task, values, clock)
    assert [(step, seconds) for step, seconds, _ in lines] == [(3, 6.0), (6, 12.0)]
    for (_, _, figures), part in zip(lines, (values[:3], values[3:6]), strict=True):
        assert figures["train/loss"] == pytest.approx(float(sum(part)) / 3)
        assert figures["train/balance"] == pytest.approx(float(sum(part)) / 300)
        assert figures["tokens_per_second"] == pytest.approx(25)
        assert (figures["lr"], figures["grad_norm"]) == (0.3, 0.25)
    assert lines[1][2]["tokens"] == 300


@pytest.mark.parametrize("cut", range(9))
def test_a_resumed_run_writes_the_same_lines_to_the_last_bit(clock, cut):
    values = losses(9)
    whole, expected = made()
    whole.on_train_start(TRAINER, task := module())
    run(whole, task, values, clock)

    first, lines = made()
    first.on_train_start(TRAINER, task := module())
    run(first, task, values[:cut], clock)
    saved = first.state_dict()
    clock.now += 1000  # killed, and started again much later
    second, more = made()
    second.load_state_dict(saved)
    second.on_train_start(TRAINER, task := module(cut))
    run(second, task, values[cut:], clock)
    parts = [
        [(step, seconds, figures["train/loss"]) for step, seconds, figures in part] for part in (lines + more, expected)
    ]
    assert parts[0] == parts[1]


def test_validation_has_a_line_of_its_own_and_its_time_is_not_training_speed(clock):
    recorder, lines = made()
    task, values = module(), losses(3)
    trainer = Mock(
        spec=pl.Trainer,
        sanity_checking=False,
        state=SimpleNamespace(fn="fit"),
        callback_metrics={"val/loss": torch.tensor(2.0), "x": 1},
    )
    recorder.on_train_start(TRAINER, task)
    run(recorder, task, values[:2], clock)
    recorder.on_validation_start(trainer, task)
    clock.now += 500
    recorder.on_validation_epoch_end(trainer, task)
    recorder.on_validation_end(trainer, task)
    run(recorder, task, values[2:], clock)
    assert lines[0][0] == 2
    assert lines[0][2] == {"val/loss": 2.0}
    assert lines[1][2]["tokens_per_second"] == pytest.approx(25)


def test_evaluation_after_training_writes_no_line(clock):
    recorder, lines = made()
    trainer = Mock(
        spec=pl.Trainer, sanity_checking=False, state=SimpleNamespace(fn="validate"), callback_metrics={"val/loss": 1}
    )
    recorder.on_validation_end(trainer, module(3))
    assert lines == []
