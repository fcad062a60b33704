import io
import logging
import time
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import pytorch_lightning as pl
import torch
from rich.console import Console

from lmlab.callback.progress import Progress, clock, figures, seconds_left, shortened


def module(total=20):
    return SimpleNamespace(step=0, total_steps=total, latest={})


def trainer(rank=0):
    return MagicMock(spec=pl.Trainer, is_global_zero=rank == 0)


def steps(progress, task, count, lead=None):
    lead = trainer() if lead is None else lead
    progress.on_train_start(lead, task)
    for _ in range(count):
        task.step += 1
        task.latest["loss"] = torch.tensor(5.0 - task.step / 10)
        progress.on_train_batch_end(lead, task, None, None, 0)
    progress.on_train_end(lead, task)


def plain(**keys):
    return Progress(console=Console(file=io.StringIO(), force_terminal=False), **keys)


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def _log_level(caplog):
    caplog.set_level(logging.INFO, logger="lmlab.callback.progress")


def test_without_a_terminal_there_is_a_line_for_each_tenth(caplog):
    steps(plain(), module(20), 20)
    assert [line.split("  ")[0] for line in lines(caplog)] == [f"step {step}/20" for step in range(2, 21, 2)]
    assert lines(caplog)[0].startswith("step 2/20  10%  loss 4.800")


@pytest.mark.parametrize(("total", "count"), [(3, 3), (7, 7), (None, 1), (25, 10)])
def test_without_a_terminal_the_number_of_lines_is_bounded(caplog, total, count):
    steps(plain(), module(total), total or 300)
    assert len(lines(caplog)) == count


def test_without_a_terminal_there_is_a_line_when_time_is_up(caplog):
    steps(plain(line_seconds=1e-9), module(None), 5)
    assert [line.split("  ")[0] for line in lines(caplog)] == [f"step {step}" for step in range(1, 6)]


def test_on_a_terminal_the_line_is_redrawn_and_ends_with_the_last_step(caplog):
    file = io.StringIO()
    steps(Progress(console=Console(file=file, force_terminal=True, width=100), refresh_seconds=1e-9), module(), 20)
    assert "step 20/20" in file.getvalue()
    assert "loss 3.000" in file.getvalue()
    assert lines(caplog) == []


def test_other_ranks_are_silent(caplog):
    steps(plain(line_seconds=1e-9), module(), 20, trainer(rank=1))
    assert lines(caplog) == []


def test_an_exception_gives_the_terminal_back():
    progress = Progress(console=Console(file=io.StringIO(), force_terminal=True))
    progress.on_train_start(trainer(), module())
    progress.on_exception(trainer(), module(), ValueError())
    assert progress.live is None


def test_words_of_a_full_line():
    latest = {"loss": torch.tensor(3.4121), "val/loss": 3.5, "tokens_per_second": 41_234.0, "grad_norm": object()}
    assert figures(1200, 5000, latest, 151.0) == [
        "step 1,200/5,000",
        "24%",
        "loss 3.412",
        "val 3.500",
        "41.2k tokens/s",
        "2:31 left",
    ]


def test_time_left_follows_the_pace_since_the_first_step():
    assert seconds_left(11, 21, (100.0, 1), 120.0) == pytest.approx(20.0)
    assert seconds_left(1, 21, (100.0, 1), 120.0) is None
    assert seconds_left(11, None, (100.0, 1), 120.0) is None


def test_numbers_and_clocks_are_short():
    assert [shortened(number) for number in (7.4, 987.0, 41_234.0, 3_049_000.0)] == ["7", "987", "41.2k", "3.05M"]
    assert [clock(seconds) for seconds in (7.0, 151.0, 11_100.0)] == ["0:07", "2:31", "3:05:00"]


def test_a_step_costs_less_than_a_tenth_of_a_millisecond():
    progress, task, lead = plain(), module(10**9), trainer()
    progress.on_train_start(lead, task)
    start = time.perf_counter()
    for _ in range(1000):
        task.step += 1
        progress.on_train_batch_end(lead, task, None, None, 0)
    assert time.perf_counter() - start < 1000 * 1e-4
