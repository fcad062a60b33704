"""One fit, from the newest checkpoint to the end of training, and the evaluation of what it leaves."""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lmlab import config as configuration
from lmlab.callback.plateau import Observe
from lmlab.callback.recorder import Recorder
from lmlab.command import embedding
from lmlab.command.allocator import keep_freed_memory
from lmlab.command.experiment import Experiment, build_task, build_trainer, draw
from lmlab.command.initial import initial_weights
from lmlab.command.ranks import train_in_ranks
from lmlab.command.result import conclude
from lmlab.run import checkpoint
from lmlab.run.environment import environment
from lmlab.run.folder import RunFolder
from lmlab.run.loggers import Loggers
from lmlab.run.metrics_log import MetricsLog
from lmlab.run.mirror import Start
from lmlab.schedule.plateau import Plateau
from lmlab.strategy.nodes import Nodes
from lmlab.strategy.recompute import recompute
from lmlab.types import SAMPLE_BREAK, Failed, Interrupted, Mistake

log = logging.getLogger(__name__)


def fit(experiment: Experiment, run: RunFolder, nodes: Nodes | None = None) -> None:
    """Trains to the end, here or in a process per rank; whatever happens, the folder says how it stands."""
    with logged_to(run), quiet(), stoppable():
        threads = experiment.config.trainer.threads
        run.write_environment(environment(folder=run.path, threads=threads, fingerprint=experiment.fingerprint))
        run.write_summary({**run.summary, "status": "running"})
        experiment.arrays.tokenizer.save(str(run.path / "tokenizer.json"))
        experiment.kind.begin(experiment, run)
        checkpoint.remove_leftovers(run.checkpoints)
        found = checkpoint.newest(run.checkpoints)
        start = found[0] if found else None
        if start:
            log.info("from step %d (%s)", checkpoint.step_of(start), start.name)
        try:
            if experiment.has_ranks:
                train_in_ranks(experiment, run, start, nodes)
            else:
                train_here(experiment, run, start)
        except BaseException as error:
            status = "stopped" if is_stop(error) else "failed"
            with suppress(OSError):  # a full disk: the error itself says so
                run.write_summary({**run.summary, "status": status, "reason": str(error) or type(error).__name__})
            raise


def is_stop(error: BaseException) -> bool:
    """Whether the run can be resumed as it stands."""
    return isinstance(error, Interrupted | KeyboardInterrupt)


def train_here(experiment: Experiment, run: RunFolder, start: Path | None, *, is_first: bool = True) -> None:
    """Trains in this process, which is the only one or one of the ranks; the first rank alone writes."""
    if experiment.config.trainer.accelerator == "cpu":
        keep_freed_memory()
    with quiet(), stoppable():
        step = checkpoint.step_of(start) if start else 0
        loggers = loggers_of(experiment.config, run, step, is_first)
        try:
            summary = _fit(experiment, run, loggers, start, is_first)
        except BaseException as error:
            loggers.finish({}, exit_code=3 if is_stop(error) else 1)
            if (sentence := _explained(error, experiment)) is not None:
                raise sentence from error
            raise
        if is_first:
            run.write_summary(summary)
        loggers.finish(summary, exit_code=0)


def loggers_of(config: DictConfig, run: RunFolder, step: int, is_first: bool = True) -> Loggers:
    """The chosen mirrors of metrics.jsonl; none on a rank that is not the first."""
    chosen = list(config.get("logger") or {}) if is_first else []
    start = Start(
        folder=run.path,
        project=config.project,
        name=run.name or run.id,
        config=run.config,
        group=(config.get("sweep") or {}).get("name"),
        tags=tuple(config.tags),
        step=step,
    )
    return Loggers({name: configuration.build(config, f"logger.{name}") for name in chosen}, start=start)


def _fit(
    experiment: Experiment, run: RunFolder, loggers: Loggers, start: Path | None, is_first: bool
) -> dict[str, Any]:
    step = checkpoint.step_of(start) if start else 0
    metrics = MetricsLog(run.metrics_path)
    if is_first:
        metrics.cut(step)
        experiment.kind.announce(experiment)
    task = build_task(experiment)
    if start is None:
        embedding.start(experiment, task.model)
    if start is None and experiment.config.init_from is not None:
        task.load_state_dict(initial_weights(experiment, task))
        log.info("weights from %s", experiment.config.init_from)
    if experiment.config.trainer.get("activation_checkpointing"):
        recompute(task.model)
    if experiment.config.trainer.compile:
        task.model.compile()  # in place: the names in checkpoints stay what they are
    data = experiment.datamodule(step)
    trainer = build_trainer(
        experiment,
        callbacks=callbacks(experiment, run, task, metrics, loggers, is_first),
        plugins=[checkpoint.DurableCheckpointIO()],
        folder=run.path,
    )
    trainer.fit(task, datamodule=data, ckpt_path=str(start) if start else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    metrics.close()
    return conclude(experiment, run, trainer, task, data, loggers)


def callbacks(
    experiment: Experiment, run: RunFolder, task: Any, metrics: MetricsLog, loggers: Loggers, is_first: bool = True
) -> list[pl.Callback]:
    """In the order in which they act at the end of a step: record, draw, decide, save."""
    config = experiment.config
    monitored = {"monitor": config.monitor, "direction": config.direction}

    def sink(step: int, seconds: float, figures: Any) -> None:
        if is_first:
            metrics.append(step=step, time=seconds, metrics=figures)
            loggers.log_metrics(figures, step)

    def keep(step: int, texts: list[str]) -> None:
        text = SAMPLE_BREAK.join(texts)
        if is_first:
            run.write_text(f"step_{step:08d}", text)
            loggers.log_text("samples", text, step)

    made = [
        configuration.build(config, "guard"),
        Recorder(sink=sink, log_every=config.trainer.log_every),
        configuration.build(config, "samples", draw=draw(experiment), keep=keep),
        configuration.build(config, "early_stopping", **monitored),
    ]
    if isinstance(task.schedule, Plateau):
        made.append(Observe(task.schedule, **monitored))
    made.append(configuration.build(config, "progress"))
    if config.ema.decay is not None:
        made.append(configuration.build(config, "ema"))
    made.append(
        configuration.build(
            config,
            "checkpoint",
            folder=run.checkpoints,
            val_check_interval=config.trainer.val_check_interval,
            total_steps=experiment.horizon.total_steps,
            **monitored,
        )
    )
    return made


def _explained(error: BaseException, experiment: Experiment) -> Exception | None:
    """Out of memory, and a full disk, in words that say which key to change."""
    if isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    ):
        micro = experiment.share.micro_size
        remedy = f"batch.micro_size={max(1, micro // 2)}" if micro > 1 else "batch.seq_len or model.dim smaller"
        return Failed(
            f"out of memory with {micro} sequences per pass; set {remedy}, which leaves the results as they are"
        )
    if isinstance(error, OSError) and not isinstance(error, Mistake):
        return Interrupted(f"the run folder cannot be written ({error}); free some space, then lmlab resume latest")
    return None


@contextmanager
def stoppable() -> Iterator[None]:
    """Signals before and after training stop the run as resumable; in training the checkpoint callback listens."""

    def stop(number: int, frame: Any) -> None:
        raise Interrupted(f"stopped by {signal.Signals(number).name}; lmlab resume latest goes on")

    is_main = threading.current_thread() is threading.main_thread()
    numbers = [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2] if is_main else []
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def logged_to(run: RunFolder) -> Iterator[None]:
    """What lmlab says goes into the run's log.txt as well."""
    handler = logging.FileHandler(run.log_path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger("lmlab").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("lmlab").removeHandler(handler)
        handler.close()


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning's hints that do not apply: lmlab's loaders need no workers, and its steps no epochs."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", module="lightning_fabric")
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view")  # which nothing changes
        yield
