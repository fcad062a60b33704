"""lmlab train: compose, check, find or make the run, fit, evaluate the best checkpoint, report."""

import logging
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lmlab import config as configuration
from lmlab.command import front
from lmlab.run import wandb_logger

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """The command line of `lmlab train`."""
    flags, overrides = front.split(arguments, front.COMPOSING)
    if (done := front.answer(flags, overrides, verb="train")) is not None:
        return done
    if flags.multirun or any(override.startswith("sweep=") for override in overrides):
        from lmlab.launcher.sweep import sweep

        return sweep(overrides)
    return train(configuration.compose(overrides), overrides)


def train(config: DictConfig, overrides: list[str]) -> int:
    """Trains, continues, or names the finished run of this configuration, and prints its result."""
    return show(trained(config, overrides))


def trained(config: DictConfig, overrides: list[str], *, is_checked: bool = False) -> Any:
    """The finished run of this configuration; `is_checked` where a sweep has rehearsed it already."""
    if "wandb" in (config.logger or ()):
        wandb_logger.preload()
    from lmlab.command.experiment import resolve
    from lmlab.command.ranks import follow
    from lmlab.command.rehearse import rehearse
    from lmlab.run.store import open_run
    from lmlab.strategy.nodes import meeting

    experiment = resolve(config)
    with meeting(config.trainer.num_nodes) as nodes:
        if not is_checked:
            rehearse(experiment)
        if nodes is not None and not nodes.is_first:
            return follow(experiment, nodes)
        run, how = open_run(
            output_dir=Path(config.output_dir),
            project=config.project,
            identity=identity_of(experiment),
            config=stored_config(experiment),
            overrides=overrides,
            name=config.name,
            fingerprint=experiment.fingerprint,
            fresh=config.fresh,
        )
        if how == "finished":
            log.info("this experiment is finished: %s (fresh=true trains it anew)", run.path)
            if nodes is not None:
                nodes.tell(finished=str(run.path.absolute()))
            return run
        return continue_run(experiment, run, is_new=how == "new", nodes=nodes)


def stored_config(experiment: Any) -> dict[str, Any]:
    """What config.yaml holds: everything resolved, the number of steps as well."""
    plain: dict[str, Any] = configuration.plain(experiment.config)
    plain["trainer"]["max_steps"] = experiment.horizon.total_steps if experiment.has_end else -1
    return plain


def identity_of(experiment: Any) -> str:
    """By which the run of this experiment is found again."""
    from lmlab.run.identity import identity

    return identity(stored_config(experiment), experiment.fingerprint)


def continue_run(experiment: Any, run: Any, *, is_new: bool, nodes: Any = None) -> Any:
    """Trains in the run's folder from its newest checkpoint to the end."""
    from lmlab.command.fit import fit
    from lmlab.report.html import write_report
    from lmlab.run.lock import Lock

    log.info("%s %s", "run" if is_new else "continuing", run.path)
    with Lock(run.path):
        fit(experiment, run, nodes)
    write_report(run)  # without the lock, so that the page does not say that the run is still going on
    return run


def show(run: Any) -> int:
    """Prints the result of a finished run."""
    from lmlab.report.result import result

    sys.stdout.write(result(run))
    return 0
