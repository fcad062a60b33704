"""The parts of one experiment, built from its configuration: data, task, trainer. What `train`, `evaluate` and others share."""

import json
import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, open_dict
from pytorch_lightning.strategies import SingleDeviceStrategy

from lmlab import config as configuration
from lmlab import values
from lmlab.batch.sampler import Share
from lmlab.batch.token_batches import Batching, TokenBatches
from lmlab.command.embedding import freeze, settle
from lmlab.command.kind.kind import Kind, check_made, check_parts, kind_of
from lmlab.optimizer.groups import parameter_groups
from lmlab.run.store import free_space
from lmlab.strategy.deepspeed import DeepSpeed, check_machine
from lmlab.strategy.group import Started
from lmlab.strategy.sharded import Sharded
from lmlab.strategy.tensor_parallel import TensorParallel
from lmlab.tokenizer.word_counts import vocabulary_of
from lmlab.types import SPLITS, Horizon, Mistake, Source, Vocabulary

log = logging.getLogger(__name__)

DEFAULT_STEPS = 1600

FAST_BF16 = ("avx512_bf16", "amx_bf16")
"""CPU features without which bf16 is slower than float32."""


@dataclass
class Experiment:
    """A configuration with everything decided that the machine and the data decide."""

    config: DictConfig
    data: dict[str, Any] = field(default_factory=dict)
    """Sources and arrays of other experiments, by what made them: a sweep reads equal data once."""

    @cached_property
    def source(self) -> Source:
        source: Source = self._shared("source", lambda: configuration.build(self.config, "data"), "data")
        check_made(self.config, source)
        return source

    @cached_property
    def arrays(self) -> Any:
        """The splits as ids, with the tokenizer that made them."""
        return self._shared(f"arrays of {type(self.kind).__name__}", lambda: self.kind.arrays(self), *self._read_by)

    @cached_property
    def words(self) -> Vocabulary:
        """The words of the training split."""
        made: Vocabulary = self._shared("words", lambda: vocabulary_of(self.arrays), "data", "tokenizer")
        return made

    @cached_property
    def kind(self) -> Kind:
        """What depends on the kind of thing that the task is about."""
        return kind_of(self.config)

    @property
    def _read_by(self) -> tuple[str, ...]:
        """The blocks that decide the arrays."""
        return ("data", "tokenizer", *(["features"] if "features" in self.config else []))

    def _shared(self, name: str, make: Callable[[], Any], *blocks: str) -> Any:
        values = [configuration.plain(self.config[block]) for block in blocks]
        key = json.dumps([name, *values, str(self.config.cache_dir)], sort_keys=True)
        if key not in self.data:
            self.data[key] = make()
        return self.data[key]

    @cached_property
    def batching(self) -> Batching:
        batching: Batching = self.kind.batching(self)
        batching.share(world=self.num_replicas)
        return batching

    @property
    def share(self) -> Share:
        """What one rank computes of each step."""
        return self.batching.share(world=self.num_replicas)

    @property
    def has_ranks(self) -> bool:
        """Whether the run is computed by processes of their own, one per device."""
        return not issubclass(configuration.class_of(self.config, "strategy"), SingleDeviceStrategy)

    @property
    def is_sharded(self) -> bool:
        """Whether each rank holds pieces of the weights only."""
        return issubclass(configuration.class_of(self.config, "strategy"), Sharded)

    @property
    def is_deepspeed(self) -> bool:
        """Whether DeepSpeed clips and applies the gradients, and no checkpoint is kept to go on from."""
        return issubclass(configuration.class_of(self.config, "strategy"), DeepSpeed)

    @property
    def num_ranks(self) -> int:
        return int(self.config.trainer.devices * self.config.trainer.num_nodes)

    @property
    def num_replicas(self) -> int:
        """Copies of the model among which a batch is divided."""
        is_one = issubclass(configuration.class_of(self.config, "strategy"), TensorParallel)
        return 1 if is_one else self.num_ranks

    @cached_property
    def fingerprint(self) -> str:
        found: str = self._shared("fingerprint", self.source.fingerprint, "data")
        return found

    @cached_property
    def horizon(self) -> Horizon:
        """How many steps the limits allow; the first that is reached ends the run."""
        trainer = self.config.trainer
        per_epoch = self.batching.steps_per_epoch(self.arrays.train)
        limits = [trainer.max_steps] if trainer.max_steps not in ("auto", -1) else []
        if trainer.max_tokens is not None:
            limits.append(math.ceil(trainer.max_tokens / (self.batching.size * self.batching.seq_len)))
        if trainer.max_epochs is not None:
            limits.append(math.ceil(trainer.max_epochs * per_epoch))
        if not limits and trainer.max_steps == "auto" and trainer.max_time is None:
            limits = [DEFAULT_STEPS]
        return Horizon(int(min(limits)) if limits else 10**9, per_epoch)

    @property
    def has_end(self) -> bool:
        return self.horizon.total_steps < 10**9

    def datamodule(self, start_step: int = 0) -> TokenBatches:
        """Batches from `start_step` on."""
        return TokenBatches(
            tokens={split: getattr(self.arrays, split) for split in SPLITS},
            batching=self.batching,
            start_step=start_step,
            total_steps=self.horizon.total_steps if self.has_end else None,
            overfit=self.config.debug,
            limit_val=self.config.trainer.limit_val_batches,
        )


def resolve(config: DictConfig, data: dict[str, Any] | None = None) -> Experiment:
    """Checks the configuration, and decides what the machine decides: device, threads, precision.

    Args:
        data: what other experiments have read; this one adds to it.
    """
    with open_dict(config):
        config.setdefault(
            "strategy", {"_target_": "lmlab.strategy.single.Single"}
        )  # runs from before there was a choice
    check_parts(config)
    values.check(config)
    with open_dict(config):
        trainer = config.trainer
        trainer.accelerator = accelerator(trainer.accelerator, trainer.devices)
        check_devices(config)
        trainer.threads = trainer.threads or max(1, cores() // trainer.devices)
        if config.debug:
            trainer.max_steps, trainer.val_check_interval, config.logger = 20, 10, None
    torch.set_num_threads(trainer.threads)
    settle(config)
    experiment = Experiment(config, {} if data is None else data)
    if config.model.get("params") is not None:
        from lmlab.command.size import fix_size

        fix_size(config, experiment.kind.vocabulary(experiment))
    if trainer.precision == "auto" and not configuration.class_of(config, "task").autocasts:
        trainer.precision = "32-true"
    trainer.precision = precision(trainer.precision, trainer.accelerator, config.model.dim)
    return experiment


def cores() -> int:
    """The CPU cores that this process may use; macOS cannot restrict them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_space(experiment: Experiment) -> None:
    """Refuses an output folder that cannot hold the run's checkpoints."""
    from lmlab.command.size import on_meta

    config = experiment.config
    weights = sum(one.numel() for one in on_meta(config, experiment.kind.vocabulary(experiment)).parameters()) * 4
    needed, free = weights * (3 * (config.checkpoint.keep + 1) + 1), free_space(Path(config.output_dir))
    if needed > free:
        raise Mistake(
            f"output_dir={config.output_dir} has {free / 2**20:,.0f} MiB left and the checkpoints need {needed / 2**20:,.0f}; "
            "free some space, set output_dir or LMLAB_RUNS to a roomier disk, or checkpoint.keep=1"
        )


def accelerator(name: str, devices: int) -> str:
    """The device kind that `auto` stands for; a Mistake where the machine has none, or too few."""
    found = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    name = {"gpu": "cuda"}.get(name, name)
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if found[kind])
    if name not in found:
        raise Mistake(f"trainer.accelerator={name} is wrong: expected auto, cpu, cuda or mps")
    if not found[name]:
        here = [kind for kind, number in found.items() if number]
        raise Mistake(
            f"trainer.accelerator={name}: this machine has none; it has {' and '.join(here)}: set trainer.accelerator={here[-1]}"
        )
    if name != "cpu" and devices > found[name]:
        raise Mistake(
            f"trainer.devices={devices}: this machine has {found[name]} {name} device(s); set trainer.devices={found[name]}"
        )
    return name


def check_devices(config: DictConfig) -> None:
    """Several devices and a strategy that shares a step among them belong together."""
    strategy = configuration.class_of(config, "strategy")
    if issubclass(strategy, DeepSpeed):
        check_machine(config.trainer.accelerator)
    for key in ("devices", "num_nodes"):
        if issubclass(strategy, SingleDeviceStrategy) and config.trainer[key] > 1:
            raise Mistake(
                f"trainer.{key}={config.trainer[key]} needs a strategy that shares each step among them; set strategy=ddp"
            )


def precision(name: str | int, accelerator: str, dim: int) -> str | int:
    """What `auto` stands for: bf16 autocast where the device computes faster in it than in float32."""
    if name != "auto":
        return name
    if accelerator == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "bf16-mixed" if accelerator == "cpu" and dim >= 128 and cpu_has(*FAST_BF16) else "32-true"


def cpu_has(*features: str) -> bool:
    """Whether the processor lists one of these features."""
    path = Path("/proc/cpuinfo")
    return path.exists() and any(feature in path.read_text() for feature in features)


def build_model(config: DictConfig, vocabulary: Any) -> tuple[Any, Any]:
    """Model and head, their weights drawn from the seed."""
    torch.manual_seed(config.seed)
    model, head = kind_of(config).model(config, vocabulary)
    freeze(config, model, head)
    return model, head


def build_task(experiment: Experiment) -> Any:
    """The LightningModule."""
    model, head = build_model(experiment.config, experiment.kind.vocabulary(experiment))
    return experiment.kind.task(experiment, model, head, optimizer_of(experiment.config))


def optimizer_of(config: DictConfig) -> Callable[[torch.nn.Module], torch.optim.Optimizer]:
    """Module -> optimizer over its parameter groups."""
    factory = configuration.build(config, "optimizer")
    return lambda module: factory(parameter_groups(module))


def draw(experiment: Experiment) -> Callable[..., list[str]]:
    """How samples are drawn while training; the seed makes them comparable from step to step."""
    return partial(experiment.kind.draw, experiment)


def build_trainer(
    experiment: Experiment, *, callbacks: list[pl.Callback], plugins: list[Any], folder: Path
) -> pl.Trainer:
    """Lightning's Trainer, with lmlab's own limits and recording in place of its defaults."""
    num_micro = experiment.share.num_micro
    trainer = experiment.config.copy()
    with open_dict(trainer):
        trainer.trainer.update(
            max_steps=experiment.horizon.total_steps if experiment.has_end else -1,
            max_epochs=-1,
            val_check_interval=trainer.trainer.val_check_interval * num_micro,
            limit_val_batches=1.0,  # the data module limits, over all ranks together
            check_val_every_n_epoch=None,
            # the task clips, and knows the norm; but DeepSpeed holds the gradients
            gradient_clip_val=trainer.trainer.gradient_clip_val if experiment.is_deepspeed else None,
            accumulate_grad_batches=num_micro,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    strategy = configuration.build(trainer, "strategy")
    made: pl.Trainer = configuration.build(
        trainer,
        "trainer",
        strategy=strategy,
        callbacks=callbacks,
        plugins=[*plugins, *([Started()] if experiment.has_ranks else [])],
        logger=False,
        default_root_dir=str(folder),
    )
    # Lightning would ask the first rank before every batch whether it was told to stop: the task's own exchange knows.
    loop: Any = made.fit_loop.epoch_loop
    loop._broadcast_sigterm_tensor = lambda: None
    return made
