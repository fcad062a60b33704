"""lmlab resume RUN [key=value]: continue a run, also with changed limits."""

import logging
from typing import Any

from lmlab import config as configuration
from lmlab.command import front
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def is_strategy(override: str) -> bool:
    """Whether an override chooses how devices share a step: the one choice of parts that may change."""
    return override.startswith("strategy=")


def values_of(overrides: list[str]) -> list[str]:
    """The overrides that change values."""
    return [override for override in overrides if not is_strategy(override)]


FIXED = ("data", "tokenizer", "model", "head", "task", "seed", "batch.size", "batch.seq_len")
"""What a run cannot change on its way: its checkpoints would not fit, or its steps would not be what they were."""


def main(arguments: list[str]) -> int:
    """The command line of `lmlab resume`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab resume [RUN] [key=value ...]",
            "Continues a run from its newest checkpoint; RUN is latest where none is given. Limits may change:",
            "  lmlab resume latest trainer.max_steps=5000",
            "and so may the devices: the steps that follow are of the same examples.",
            "  lmlab resume latest strategy=ddp trainer.devices=2",
        )
    from lmlab.command.experiment import resolve
    from lmlab.command.ranks import follow
    from lmlab.command.rehearse import rehearse
    from lmlab.command.stored import stored
    from lmlab.command.train import show
    from lmlab.launcher.find import find_run
    from lmlab.strategy.nodes import meeting

    name, overrides = front.target(words)
    run = find_run(name)
    config = configuration.changed(stored(run.path / "config.yaml"), values_of(overrides))
    if len(values_of(overrides)) < len(overrides):  # a strategy changes how a step is computed, not what it is
        config.strategy = configuration.compose([word for word in overrides if is_strategy(word)]).strategy
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if any(key == fixed or key.startswith(f"{fixed}.") for fixed in FIXED):
            raise Mistake(f"{key} cannot change within a run; train a new one: lmlab train {override}")
    if run.status == "finished" and not overrides:
        log.info(
            "%s is finished; to train on, raise its limit: lmlab resume %s trainer.max_steps=...", run.path, run.id
        )
        return show(run)
    experiment = resolve(config)
    with meeting(config.trainer.num_nodes) as nodes:
        rehearse(experiment)
        if nodes is not None and not nodes.is_first:
            return show(follow(experiment, nodes))
        return show(_continued(experiment, run, overrides, nodes))


def _continued(experiment: Any, run: Any, overrides: list[str], nodes: Any) -> Any:
    """The run, trained to the end that the overrides give it."""
    from lmlab.command.train import continue_run
    from lmlab.run.checkpoint import saved_steps, step_of

    step = max(map(step_of, saved_steps(run.checkpoints)), default=0)
    if step and experiment.is_deepspeed:
        raise Mistake("strategy=deepspeed goes on from no checkpoint of lmlab's; choose strategy=ddp or strategy=fsdp")
    if overrides and experiment.has_end and step >= experiment.horizon.total_steps:
        raise Mistake(f"{run.path} is at step {step} already; set trainer.max_steps above that")
    if overrides:
        log.info("the schedule now runs over %d steps", experiment.horizon.total_steps)
        run.write_config(configuration.plain(experiment.config))
    return continue_run(experiment, run, is_new=False, nodes=nodes)
