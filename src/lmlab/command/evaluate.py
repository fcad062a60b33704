"""lmlab evaluate RUN split=test checkpoint=best: the loss of a trained run on a split of its data."""

import sys
from dataclasses import replace

from omegaconf import DictConfig

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.command.stored import stored
from lmlab.launcher.find import find_run
from lmlab.report.confusion import TABLE
from lmlab.types import SPLITS, Mistake

OPTIONS = {"split": str, "checkpoint": str}


def main(arguments: list[str]) -> int:
    """The command line of `lmlab evaluate`."""
    flags, words = front.split(arguments, front.COMPOSING)
    name, overrides = front.target(words)
    if (done := front.answer(flags, overrides, verb="evaluate", config_name="evaluate")) is not None:
        return done
    options = configuration.compose(overrides, config_name="evaluate", verb="evaluate")
    values.check_types(options, OPTIONS)
    if options.split not in SPLITS:
        raise Mistake(f"split={options.split} is wrong: expected {', '.join(SPLITS)}")
    for figure, value in evaluated(name, options.split, options.checkpoint).items():
        sys.stdout.write(f"{figure:<23} {value:.4f}\n")
    if options.checkpoint == "best" and (table := find_run(name).path / TABLE.format(split=options.split)).exists():
        sys.stdout.write(f"{'confusion':<23} {table}\n")
    return 0


def on_one_device(config: DictConfig) -> DictConfig:
    """The configuration of a run, however many ranks it had, for this process alone."""
    config.strategy = {"_target_": "lmlab.strategy.single.Single"}
    config.trainer.devices = config.trainer.num_nodes = 1
    return config


def evaluated(name: str, split: str, which: str) -> dict[str, float]:
    """The figures of one split under one checkpoint's weights."""
    from lmlab.command.confusion import keep_confusion
    from lmlab.command.experiment import build_task, build_trainer, resolve
    from lmlab.command.fit import quiet
    from lmlab.command.load import weights_of
    from lmlab.command.result import measured

    run = find_run(name)
    experiment = resolve(on_one_device(stored(run.path / "config.yaml")))
    if experiment.fingerprint != run.fingerprint:
        raise Mistake(
            f"the data of {run.path} has changed since it was trained; restore it, or train anew with fresh=true"
        )
    if not len(getattr(experiment.arrays, split)):
        raise Mistake(f"split={split} is empty in this data; set split=val or split=train")
    with quiet():
        if split == "train":  # in the place of the test split, so that what is measured on a part is so on a part of it
            experiment.arrays = replace(experiment.arrays, test=experiment.arrays.train)
        task = build_task(experiment)
        task.load_state_dict(weights_of(run, which))
        trainer = build_trainer(experiment, callbacks=[], plugins=[], folder=run.path)
        if split == "train":
            task.metrics["test"] = experiment.kind.metric(experiment)("train")
        figures = measured(trainer, task, experiment.datamodule(), "test" if split == "train" else split)
        labels = getattr(experiment.arrays, "labels", ())
        if which == "best" and labels:  # of other weights it is another than the run's
            keep_confusion(run.path, task, labels, [split])
    return {name.replace("test/", f"{split}/"): value for name, value in figures.items()}
