"""Mirrors show what the run folder holds, under its steps, and never stop or change a run."""

import json
import logging
import math
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lmlab.run.loggers import Loggers
from lmlab.run.mirror import Start
from lmlab.run.tensorboard_logger import TensorBoardLogger
from lmlab.run.wandb_logger import WandbLogger, run_id

CONF = Path(__file__).parents[2] / "conf" / "logger"

CONFIG = {"model": {"dim": 8, "list": [1, 2.5]}, "seed": 1, "text": "世界"}

ABOUT = {"project": "p", "name": "first", "config": CONFIG, "group": "sweep", "tags": ("a", "b")}

OFFLINE = partial(WandbLogger, entity=None, mode="offline", init_timeout=30, finish_timeout=30)


def start(folder, **changes):
    return Start(folder=folder, **{**ABOUT, **changes})


class Spy:
    def __init__(self, *, start, failing=""):
        self.calls, self.failing, self.start = [], failing, start
        self._call("start")

    def log_metrics(self, metrics, step):
        self._call("metrics", metrics, step)

    def log_text(self, name, text, step):
        self._call("text", name, text, step)

    def finish(self, summary, exit_code):
        self._call("finish", summary, exit_code)

    def _call(self, *call):
        self.calls.append(call)
        if call[0] == self.failing:
            raise ConnectionError("the network is away\nand more")


def test_every_mirror_gets_everything_once(tmp_path):
    spy = Spy(start=None)
    loggers = Loggers({"spy": lambda start: spy}, start=start(tmp_path))
    loggers.log_metrics({"train/loss": 1.0}, 3)
    loggers.log_text("samples", "text", 4)
    loggers.finish({"val/loss": 2.0}, 1)
    loggers.finish({}, 0)
    assert spy.calls == [
        ("start",),
        ("metrics", {"train/loss": 1.0}, 3),
        ("text", "samples", "text", 4),
        ("finish", {"val/loss": 2.0}, 1),
    ]


@pytest.mark.parametrize("failing", ["start", "metrics", "text", "finish"])
def test_a_failing_mirror_is_said_once_and_off_from_then_on(tmp_path, caplog, failing):
    good = Spy(start=None)
    loggers = Loggers(
        {"bad": partial(Spy, failing=failing), "good": lambda start: good}, start=start(tmp_path, config={})
    )
    with caplog.at_level(logging.WARNING):
        for step in range(3):
            loggers.log_metrics({"a": 1.0}, step)
            loggers.log_text("samples", "text", step)
        loggers.finish({}, 0)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1
    assert "logger=bad failed" in warnings[0]
    assert "the network is away" in warnings[0]
    assert len(good.calls) == 8


def test_a_logger_that_is_not_installed_does_not_stop_the_run(tmp_path, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    loggers = Loggers({"wandb": OFFLINE}, start=start(tmp_path))
    loggers.log_metrics({"a": 1.0}, 1)
    assert "logger=wandb failed" in caplog.text


def test_loggers_are_a_logger_of_lightning(tmp_path):
    loggers = Loggers({}, start=start(tmp_path))
    assert (loggers.name, loggers.save_dir) == ("first", str(tmp_path))
    loggers.log_hyperparams({"a": 1})
    loggers.finalize("success")


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ([], ["wandb"]),
        (["logger=wandb"], ["wandb"]),
        (["logger=tensorboard"], ["tensorboard"]),
        (["logger=[wandb,tensorboard]"], ["wandb", "tensorboard"]),
        (["logger=none"], []),
    ],
)
def test_loggers_are_chosen_by_a_word_or_a_list(tmp_path, overrides, names):
    shutil.copytree(CONF, tmp_path / "logger")
    (tmp_path / "train.yaml").write_text("defaults:\n  - logger: [wandb]\n  - _self_\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        config = compose("train", overrides)
    assert list(config.logger) == names
    for factory in instantiate(config.logger, _convert_="all").values():
        assert isinstance(factory, partial)


def test_wandb_files_read_back_with_config_steps_samples_and_summary(tmp_path):
    for first in (0, 3):  # the second start resumes the run
        _wandb_run(tmp_path, first)
    files = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"), key=lambda path: path.parent.name)
    assert len(files) == 2
    assert {path.stem for path in files} == {f"run-{run_id(tmp_path)}"}
    records = [_records(path) for path in files]
    rows = [row for one in records for row in one["history"]]
    assert [row["step"] for row in rows if "train/loss" in row] == [1, 2, 3, 4, 5, 6]
    assert [row["train/loss"] for row in rows if "train/loss" in row] == ["NaN", 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]
    about = records[0]["run"][0]
    assert (about["project"], about["display_name"], about["run_group"], about["tags"]) == (
        "p",
        "first",
        "sweep",
        ["a", "b"],
    )
    update = about["config"]["update"]
    assert {key: update[key] for key in CONFIG} == CONFIG
    globs = [metric for metric in records[0]["metric"] if metric.get("glob_name") == "*"]
    assert globs[0]["step_metric"] == "step"
    samples = [row for row in rows if "samples.path" in row]
    assert [row["step"] for row in samples] == [3, 6]
    page = files[0].parent / "files" / samples[0]["samples.path"]
    assert "&lt;b&gt;Hello&lt;/b&gt; 世界\nline" in page.read_text(encoding="utf-8")
    final = {key: value for row in records[1]["summary"] for key, value in row["update"].items()}
    assert (final["val/loss"], final["status"]) == (1.25, "finished")
    assert records[1]["exit"][0]["exit_code"] == 0


def test_the_wandb_id_is_made_once(tmp_path):
    assert run_id(tmp_path) == run_id(tmp_path)
    (tmp_path / "other").mkdir()
    assert run_id(tmp_path) != run_id(tmp_path / "other")


def test_tensorboard_files_read_back_and_a_resumed_run_hides_what_came_after_its_checkpoint(tmp_path):
    for first, last in ((0, 7), (3, 9)):
        loggers = Loggers(
            {"tensorboard": partial(TensorBoardLogger, flush_seconds=1)}, start=start(tmp_path, step=first)
        )
        for step in range(first + 1, last):
            loggers.log_metrics({"train/loss": step + first / 10}, step)
        loggers.log_text("samples", "世界\n  line", last)
        loggers.finish({"val/loss": math.nan, "step": last}, 0)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    values = [(event.step, round(event.value, 3)) for event in events.Scalars("train/loss")]
    assert values == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.3), (5, 5.3), (6, 6.3), (7, 7.3), (8, 8.3)]
    text = events.Tensors("samples/text_summary")[-1].tensor_proto.string_val[0].decode()
    assert text == "    世界\n      line\n"


WANDB_RUN = """
import json, math, sys
from pathlib import Path
from lmlab.run.mirror import Start
from lmlab.run.wandb_logger import WandbLogger
first, about = int(sys.argv[2]), json.loads(sys.argv[3])
start = Start(folder=Path(sys.argv[1]), step=first, **about)
logger = WandbLogger(entity=None, mode="offline", init_timeout=30, finish_timeout=30, start=start)
for step in range(first + 1, first + 4):
    logger.log_metrics({"train/loss": 1 / step if step > 1 else math.nan}, step)
logger.log_text("samples", "<b>Hello</b> 世界\\nline", first + 3)
logger.finish({"val/loss": 1.25, "status": "finished"}, 0)
"""


def _wandb_run(folder, first):
    """In a process of its own, as a run is: W&B's background process ends with it."""
    command = [sys.executable, "-c", WANDB_RUN, folder, str(first), json.dumps(ABOUT)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def _records(path):
    """By W&B's own reader of its offline files."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    records = {}
    for line in map(json.loads, lines):
        content = line[line["type"]]
        records.setdefault(line["type"], []).append(content.get("item", content))
    return records
