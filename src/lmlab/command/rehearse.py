"""Before a run folder is made: every part is built once, its weights without memory, so that what does not fit is said now."""

import copy
from pathlib import Path
from typing import Any

import torch

from lmlab import config as configuration
from lmlab.command import embedding
from lmlab.command.backends import refuse
from lmlab.command.embedding import said_of
from lmlab.command.experiment import Experiment, build_task, build_trainer, check_space
from lmlab.command.fit import callbacks, quiet
from lmlab.command.initial import initial_weights
from lmlab.command.size import loss_of, on_meta
from lmlab.model.transformer import Transformer
from lmlab.optimizer.muon import Muon
from lmlab.run.folder import RunFolder
from lmlab.run.loggers import Loggers
from lmlab.run.metrics_log import MetricsLog
from lmlab.run.mirror import Start
from lmlab.strategy.sharded import Sharded
from lmlab.strategy.tensor_parallel import TensorParallel
from lmlab.types import Cuttable, Mistake


def rehearse(experiment: Experiment) -> None:
    """Refuses what would stop the run at its start or, for a monitor that nobody measures, at its end."""
    check_device(experiment.config.trainer)
    check_role(experiment)
    experiment.batching.train(experiment.arrays.train)  # a text too short for a batch
    check_space(experiment)
    with torch.device("meta"):
        task = build_task(experiment)
    experiment.kind.refuse(experiment, task)
    check_monitor(experiment)
    check_optimizer(experiment)
    check_start(experiment, task)
    with quiet():
        folder = RunFolder(Path(experiment.config.output_dir))
        start = Start(folder=folder.path, project="", name="", config={}, tags=(), step=0)
        made = callbacks(experiment, folder, task, MetricsLog(folder.metrics_path), Loggers({}, start=start))
        build_trainer(experiment, callbacks=made, plugins=[], folder=folder.path)
    for name in experiment.config.get("logger") or ():
        configuration.build(experiment.config, f"logger.{name}")


def check_tokens(experiment: Experiment, task: Any) -> None:
    """What is special to models of sequences."""
    check_state(experiment, task)
    check_strategy(experiment, task)
    check_forward(experiment, task)
    refuse(experiment, task.model)


def check_device(trainer: Any) -> None:
    """What Lightning would change in silence, or wait for without end."""
    if trainer.accelerator == "cpu" and str(trainer.precision) in ("16-mixed", "16"):
        raise Mistake(
            f"trainer.precision={trainer.precision} is not for a CPU; set trainer.precision=bf16-mixed or 32-true"
        )


def check_role(experiment: Experiment) -> None:
    """The model can be what the task needs, a decoder or an encoder: this is said before the data are read."""
    on_meta(experiment.config, 4)


def check_state(experiment: Experiment, task: Any) -> None:
    """A state that is carried through a whole epoch does not grow with it."""
    if experiment.batching.carries_state and task.model.state_grows:
        raise Mistake(
            "batch=streams carries the model's state from step to step, and this model keeps every token it has seen "
            "in it; choose batch=windows, or a recurrent model such as model=lstm"
        )


def check_strategy(experiment: Experiment, task: Any) -> None:
    """What does not go together with weights in pieces, before a process is started."""
    strategy = configuration.class_of(experiment.config, "strategy")
    if experiment.is_deepspeed:
        check_deepspeed(experiment)
    if not issubclass(strategy, Sharded):
        return
    if issubclass(strategy, TensorParallel):
        check_heads(task.model, experiment.num_ranks)
    if experiment.config.ema.decay is not None:
        raise Mistake("ema.decay does not work with weights in pieces; set ema.decay=null or strategy=ddp")


def check_deepspeed(experiment: Experiment) -> None:
    """It holds gradients and optimizer state as flat pieces, of which lmlab sees nothing."""
    config, share = experiment.config, experiment.share
    if share.num_micro > 1:
        raise Mistake(
            "strategy=deepspeed computes a step in one pass; "
            f"set batch.micro_size={share.size // share.world}, or choose strategy=fsdp"
        )
    if issubclass(configuration.class_of(config, "optimizer"), Muon):
        raise Mistake("optimizer=muon needs whole matrices, and strategy=deepspeed has none; choose optimizer=adamw")
    if config.guard.on_nan == "skip":
        raise Mistake("guard.on_nan=skip does not work with strategy=deepspeed; set guard.on_nan=stop")
    if config.ema.decay is not None:
        raise Mistake("ema.decay does not work with strategy=deepspeed; set ema.decay=null or strategy=ddp")


def check_heads(model: Any, ranks: int) -> None:
    """Tensor parallelism cuts a Transformer by its heads."""
    if not isinstance(model, Transformer):
        raise Mistake(
            "strategy=tensor_parallel shares the heads and hidden units of a Transformer, and this model has none; "
            "choose strategy=ddp or strategy=fsdp"
        )
    place = torch.zeros(1, 1, dtype=torch.long)
    if model.position.bias(place, place) is not None:
        raise Mistake(
            "strategy=tensor_parallel does not go with a position that adds to the scores of each head; "
            "choose model/position=rotary, or strategy=fsdp"
        )
    for block in copy.deepcopy(model).blocks:
        for part in block.modules():
            if isinstance(part, Cuttable):
                part.cut(ranks)


def check_forward(experiment: Experiment, task: Any) -> None:
    """The model takes a sequence of the length that it will be given; to one without a cache all lengths are alike."""
    length = experiment.batching.seq_len if task.model.state_grows else 2
    ids = torch.zeros(1, length, dtype=torch.long, device="meta")
    with torch.no_grad():
        loss_of(torch.nn.ModuleList([task.model, task.head]), ids)


def check_monitor(experiment: Experiment) -> None:
    """The monitored figure is one that the validation measures."""
    monitor = experiment.config.monitor
    measured = experiment.kind.measured(experiment)
    if len(experiment.arrays.val) and monitor not in measured:
        raise Mistake(f"monitor={monitor} is not measured; {configuration.nearest(monitor, measured)}")


def check_optimizer(experiment: Experiment) -> None:
    """The optimizer takes its values."""
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    with said_of("optimizer"):
        configuration.build(experiment.config, "optimizer")([{"params": [weight], "kind": "matrix"}])


def check_start(experiment: Experiment, task: Any) -> None:
    """The weights to start from are there and fit."""
    embedding.check(experiment, task.model)
    if experiment.config.init_from is not None:
        with said_of("init_from"):
            initial_weights(experiment, task)
