"""metrics.jsonl is the record of truth: every line that was written is there, whatever happened to the process."""

import math
import os
import signal
import subprocess
import sys

import pytest

from lmlab.run import metrics_log
from lmlab.run.metrics_log import MetricsLog


@pytest.fixture
def log(tmp_path):
    return MetricsLog(tmp_path / "metrics.jsonl")


def test_lines_come_back_as_they_were_written(log):
    log.append(step=1, time=0.5, metrics={"train/loss": math.nan, "lr": 1e-3})
    log.append(step=3, time=1.25, metrics={"train/loss": -math.inf})
    first, second = metrics_log.read(log.path)
    assert math.isnan(first.pop("train/loss"))
    assert first == {"step": 1, "time": 0.5, "lr": 1e-3}
    assert second == {"step": 3, "time": 1.25, "train/loss": -math.inf}


def test_a_line_is_in_the_file_when_append_returns(log):
    for step in range(5):
        log.append(step=step, time=0.0, metrics={})
        assert len(metrics_log.read(log.path)) == step + 1


def test_a_killed_process_loses_no_line(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from lmlab.run.metrics_log import MetricsLog\n"
        "log = MetricsLog(Path(sys.argv[1]))\n"
        "for step in range(200): log.append(step=step, time=0.0, metrics={'train/loss': 1.0})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "metrics.jsonl"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [line["step"] for line in metrics_log.read(tmp_path / "metrics.jsonl")] == list(range(200))


def test_cut_keeps_the_lines_up_to_the_checkpoint(log):
    for step in range(7):
        log.append(step=step, time=0.0, metrics={"a": step})
    log.cut(4)
    log.append(step=5, time=0.0, metrics={"a": 50})
    assert [(line["step"], line["a"]) for line in metrics_log.read(log.path)] == [
        *((step, step) for step in range(5)),
        (5, 50),
    ]


@pytest.mark.parametrize("torn", range(1, 25))
def test_a_torn_last_line_is_left_out_and_never_continued(log, torn):
    log.append(step=1, time=0.0, metrics={"a": 1})
    log.append(step=2, time=0.0, metrics={"a": 2})
    log.close()
    size = os.path.getsize(log.path)
    os.truncate(log.path, size - torn)
    kept = [1, 2] if torn == 1 else [1]  # only the line's end is missing: the line is whole
    assert [line["step"] for line in metrics_log.read(log.path)] == kept
    MetricsLog(log.path).append(step=3, time=0.0, metrics={"a": 3})
    assert [line["step"] for line in metrics_log.read(log.path)] == [*kept, 3]


def test_cut_drops_a_torn_last_line(log):
    log.append(step=1, time=0.0, metrics={"a": 1})
    log.close()
    with open(log.path, "ab") as file:
        file.write(b'{"step": 2, "ti')
    log.cut(9)
    assert log.path.read_bytes().endswith(b"}\n")
    assert [line["step"] for line in metrics_log.read(log.path)] == [1]


def test_zeros_that_a_power_cut_leaves_are_left_out(log):
    log.append(step=1, time=0.0, metrics={"a": 1})
    log.close()
    with open(log.path, "ab") as file:
        file.write(b"\0" * 100)
    log.append(step=2, time=0.0, metrics={})
    assert [line["step"] for line in metrics_log.read(log.path)] == [1, 2]


def test_cut_of_no_file_makes_none(log):
    log.cut(3)
    assert metrics_log.read(log.path) == []
    assert not log.path.exists()
