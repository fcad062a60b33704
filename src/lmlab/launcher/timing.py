"""Seconds that a step of a job takes on this machine, from a few real ones."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import open_dict

from lmlab.types import Mistake

FIRST, LAST = 3, 43
"""Steps before the first are not timed: they reserve memory, or compile; the last is the last in any case."""

ENOUGH = 2.0
"""Seconds of timed steps after which there are no more, once there are three."""


class Clock(pl.Callback):
    """Takes the time of every step, and ends the fit when that is enough."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if pl_module.step < FIRST or pl_module.micro:
            return
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self.marks.append(time.perf_counter())
        trainer.should_stop = len(self.marks) > 3 and self.marks[-1] - self.marks[0] > ENOUGH

    @property
    def seconds(self) -> float:
        """Of the median step."""
        return median(after - before for before, after in zip(self.marks, self.marks[1:]))


def seconds_per_step(experiment: Any) -> float:
    """Trains the experiment for a few steps that nobody keeps."""
    from lmlab.command.experiment import Experiment, build_task, build_trainer
    from lmlab.command.fit import quiet

    if experiment.has_ranks:
        raise Mistake("sweep.match=time takes the time on one device; set strategy=single trainer.devices=1")
    config = experiment.config.copy()
    with open_dict(config):
        config.trainer.update(
            max_steps=LAST, max_tokens=None, max_epochs=None, max_time=None, val_check_interval=LAST + 1
        )
    short, clock = Experiment(config, experiment.data), Clock()
    torch.set_num_threads(config.trainer.threads)
    with TemporaryDirectory() as folder, quiet():
        trainer = build_trainer(short, callbacks=[clock], plugins=[], folder=Path(folder))
        trainer.fit(build_task(short), datamodule=short.datamodule())
    return clock.seconds
