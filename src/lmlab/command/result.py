"""What a finished fit leaves: the best checkpoint's figures on every split and by example, baselines, samples, a hash."""

import logging
import resource
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch

from lmlab import config as configuration
from lmlab.command.by_example import keep_by_example, write_examples
from lmlab.command.experiment import Experiment, draw
from lmlab.run import checkpoint
from lmlab.run.folder import RunFolder
from lmlab.run.loggers import Loggers
from lmlab.types import SAMPLE_BREAK

log = logging.getLogger(__name__)


def conclude(
    experiment: Experiment, run: RunFolder, trainer: pl.Trainer, task: Any, data: Any, loggers: Loggers
) -> dict[str, Any]:
    """Evaluates the last and the best weights, and gathers summary.json."""
    config, strategy = experiment.config, trainer.strategy
    keep_by_example(experiment, task)
    last = {name: tensor.clone() for name, tensor in strategy.lightning_module_state_dict().items()}
    evaluated = measured(trainer, task, data, "val") if len(experiment.arrays.val) else {}
    summary: dict[str, Any] = {
        "status": "finished",
        "step": task.step,
        "tokens": task.tokens,
        "parameters": sum(parameter.numel() for parameter in task.parameters()),
        "weights_sha256": checkpoint.fingerprint(last),
        **{f"last/{name}": value for name, value in evaluated.items()},
    }
    if (flops := experiment.kind.cost(experiment).flops) is not None:
        summary["flops"] = flops * task.tokens
    best = run.checkpoints / "best.ckpt"
    if strategy.broadcast(is_better(run, best, evaluated, config)):  # the first rank has written the metrics
        trainer.save_checkpoint(best, weights_only=True)
        summary.update(evaluated, best_step=task.step)
    else:
        found = checkpoint.load(best)
        strategy.load_model_state_dict(found)
        summary.update(measured(trainer, task, data, "val"), best_step=found["lmlab"]["step"])
    if len(experiment.arrays.test):
        summary.update(measured(trainer, task, data, "test"))
    sampler = configuration.build(config, "samples", draw=draw(experiment), keep=lambda step, texts: None)
    texts = sampler.sample(task)
    if not trainer.is_global_zero:
        return summary
    write_examples(experiment, run, task, summary)
    summary["baselines"] = experiment.kind.baselines(experiment)
    experiment.kind.keep(experiment, run, task)
    run.write_text("final", SAMPLE_BREAK.join(texts))
    loggers.log_text("samples/final", SAMPLE_BREAK.join(texts), task.step)
    summary.update(seconds=seconds_of(run), tokens_per_second=rate_of(run), memory_gb=memory_of(trainer))
    return summary


def measured(trainer: pl.Trainer, task: Any, data: Any, split: str) -> dict[str, float]:
    """The figures of a split under the weights as they are; where the task knows one in double precision, in that."""
    evaluate = trainer.test if split == "test" else trainer.validate
    evaluate(task, datamodule=data, verbose=False)
    found = {name: value for name, value in trainer.callback_metrics.items() if name.startswith(f"{split}/")}
    return {name: float(task.latest.get(name, value)) for name, value in found.items()}


def is_better(run: RunFolder, best: Path, evaluated: dict[str, Any], config: Any) -> bool:
    """Whether the last weights beat the best that was kept."""
    kept = [line[config.monitor] for line in run.metrics() if config.monitor in line]
    if not best.exists() or not kept:
        return True
    figure = evaluated.get(config.monitor)
    return figure is not None and (figure < min(kept) if config.direction == "minimize" else figure > max(kept))


def seconds_of(run: RunFolder) -> float:
    """Seconds of training, over all its processes."""
    return max((float(line["time"]) for line in run.metrics()), default=0.0)


def rate_of(run: RunFolder) -> float:
    """Tokens per second of training: the median over what the metrics say, so that a pause does not count."""
    rates = [float(line["tokens_per_second"]) for line in run.metrics() if "tokens_per_second" in line]
    return round(median(rates), 1) if rates else 0.0


def memory_of(trainer: pl.Trainer) -> float:
    """The most memory that this rank has held, in GiB: of its GPU, else of its process."""
    device = trainer.strategy.root_device
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    unit = 1 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 3)
