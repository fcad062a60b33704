"""lmlab's fit against a bare PyTorch loop: the same module, batches, clipping, optimizer and precision, interleaved in one run.

Each of the two has a process of its own, because lmlab changes how its process keeps memory.

Usage: python scripts/bench/step.py [0.8M|10.7M|MODEL ...]   (default: both sizes of the Transformer)

MODEL is any option of `lmlab list model` that can be a decoder (lstm, mamba2, ...), at 2 M parameters and 8 x 128 tokens.

Prints the tokens per second of both, the ratio of each pair's medians, the default precision against a float32 bare loop,
and the peak resident memory. Logging, progress, checkpoints and the guard are on in lmlab's part.
"""

import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from lmlab import config as configuration
from lmlab.command.allocator import keep_freed_memory
from lmlab.command.experiment import Experiment, build_task, build_trainer, resolve
from lmlab.command.fit import callbacks, loggers_of, quiet
from lmlab.run.folder import RunFolder
from lmlab.run.metrics_log import MetricsLog
from lmlab.run.store import create
from lmlab.task.language_modeling import summed_loss

SIZES = {
    "0.8M": ["model.dim=128", "model.num_layers=4", "batch.seq_len=64", "batch.size=12"],
    "10.7M": [
        "model.dim=384",
        "model.num_layers=6",
        "batch.seq_len=256",
        "batch.size=16",
        "model.attention.num_heads=6",
    ],
}
STEPS = {"0.8M": 60, "10.7M": 6}
STEPS_OF_OTHERS = 12
ROUNDS = 5


def main() -> None:
    for size in sys.argv[1:] or list(SIZES):
        bench(size)


def bench(size: str) -> None:
    steps = STEPS.get(size, STEPS_OF_OTHERS)
    chosen = SIZES.get(size, [f"model={size}", "model.params=2M", "batch.size=8", "batch.seq_len=128"])
    overrides = ["tokenizer=char", *chosen, "optimizer=adamw", f"trainer.max_steps={steps + 1}", "checkpoint.every=1000000",
                 "trainer.val_check_interval=1000000"]  # fmt: skip
    rates: dict[str, list[float]] = {"lmlab": [], "bare": [], "bare fp32": []}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as ours, ProcessPoolExecutor(1, mp_context=spawn) as theirs:
        for _ in range(ROUNDS):
            for kind, place in (("bare", theirs), ("lmlab", ours), ("bare fp32", theirs)):
                rate, peak, precision = place.submit(measured, kind, overrides, steps).result()
                rates[kind].append(rate)
                if kind == "lmlab":
                    peak_of_ours, used = peak, precision
    medians = {name: statistics.median(values) for name, values in rates.items()}
    pairs = statistics.median(ours / theirs for ours, theirs in zip(rates["lmlab"], rates["bare"], strict=True))
    print(
        f"{size}: lmlab {medians['lmlab']:,.0f} tokens/s, bare loop {medians['bare']:,.0f} "
        f"({used}), bare float32 {medians['bare fp32']:,.0f}; "
        f"lmlab / bare {pairs:.3f}; lmlab / bare float32 {medians['lmlab'] / medians['bare fp32']:.2f}; "
        f"peak memory {peak_of_ours:.2f} GiB",
        flush=True,
    )


@cache
def experiment_of(*overrides: str) -> Experiment:
    """Of the process that measures."""
    return resolve(configuration.compose(overrides))


def measured(kind: str, overrides: list[str], steps: int) -> tuple[float, float, str]:
    """Tokens per second, the process's peak memory in GiB, and lmlab's precision."""
    experiment = experiment_of(*overrides)
    precision = str(experiment.config.trainer.precision)
    if kind == "lmlab":
        keep_freed_memory()  # as train_here does
        seconds = lmlab(experiment, steps)
    else:
        seconds = bare(experiment, steps, precision if kind == "bare" else "32-true")
    tokens = steps * experiment.batching.size * experiment.batching.seq_len
    return tokens / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, precision


def bare(experiment: Experiment, steps: int, precision: str) -> float:
    """Seconds of the loop that one would write by hand."""
    task = build_task(experiment)
    optimizer = task.configure_optimizers()
    batches = experiment.batching.train(experiment.arrays.train)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed")

    def step(number: int) -> None:
        batch = batches[number, 0]
        with autocast:
            logits = task.head(task.model(batch.inputs).states)
            loss = summed_loss(logits, batch.targets, 0.0) / batch.num_targets
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimizer.step()
        loss.item()

    step(0)
    start = time.perf_counter()
    for number in range(1, steps):
        step(number)
    return (time.perf_counter() - start) * steps / (steps - 1)


class Clock(pl.Callback):
    """From the end of the first step to the end of the one before the last, which is followed by a checkpoint."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if pl_module.step == 1:
            self.start = time.perf_counter()
        if pl_module.step < pl_module.total_steps:
            self.end = time.perf_counter()


def lmlab(experiment: Experiment, steps: int) -> float:
    """Seconds of the same steps in lmlab's fit."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        plain = configuration.plain(experiment.config)
        run = create(output_dir=Path(folder), project="bench", config=plain, manifest={})
        run = RunFolder(run.path)
        os.environ["WANDB_MODE"] = "offline"
        loggers = loggers_of(experiment.config, run, 0)
        task, clock = build_task(experiment), Clock()
        used = [*callbacks(experiment, run, task, MetricsLog(run.metrics_path), loggers), clock]
        trainer = build_trainer(experiment, callbacks=used, plugins=[], folder=run.path)
        trainer.fit(task, datamodule=experiment.datamodule())
        loggers.finish({}, exit_code=0)
    return (clock.end - clock.start) * steps / (steps - 1)


if __name__ == "__main__":
    main()
