"""model.params=5M: the width that gives a model so many parameters, and what a configuration costs to train."""

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig, open_dict
from torch import Tensor

from lmlab import config as configuration
from lmlab.budget.flops import training_flops
from lmlab.budget.memory import training_memory
from lmlab.budget.parameters import count, parse_size
from lmlab.budget.width import fit_width
from lmlab.command.experiment import Experiment, build_model
from lmlab.command.kind.kind import Cost
from lmlab.optimizer.groups import parameter_groups
from lmlab.types import FurtherLosses

log = logging.getLogger(__name__)


def fix_size(config: DictConfig, vocabulary: Any) -> None:
    """Sets model.dim, and the feed-forward's width, so that model and head have model.params parameters."""
    target = parse_size(config.model.params)
    found = fit_width(partial(_parameters, config, vocabulary), target, multiple_of=_multiple(config))
    _set_width(config, found.dim, found.hidden)
    if abs(found.mismatch) > 0.01:
        log.warning("model.params=%s: the nearest size is %+.1f %% off", config.model.params, 100 * found.mismatch)
    with open_dict(config):
        config.model.params = None  # done: the stored configuration says the width


def _multiple(config: DictConfig) -> int:
    """What the width must be divisible by: heads times a head width that kernels like; without heads, two directions.

    Mixers round the width of their heads; where a feed-forward takes up the rest, the width can be one that kernels like.
    """
    models = _models(config)
    parts = [8 * int(model.attention.num_heads) for model in models if model.get("attention") is not None]
    parts += [8 for model in models if model.get("feedforward") is not None]
    if len(models) > 1 and config.model.get("cross_attention") is not None:
        parts.append(int(config.model.cross_attention.num_heads))
    return math.lcm(2, *parts)


def _models(config: DictConfig) -> list[DictConfig]:
    """The model, and the models of which it consists."""
    return [config.model, *(config.model[side] for side in configuration.SIDES if config.model.get(side) is not None)]


def _parameters(config: DictConfig, vocabulary: Any, dim: int, hidden: int | None) -> int:
    trial = config.copy()
    _set_width(trial, dim, hidden)
    return count(on_meta(trial, vocabulary))


def _set_width(config: DictConfig, dim: int, hidden: int | None) -> None:
    config.model.dim = dim
    for model in _models(config) if hidden is not None else ():
        if (part := model.get("feedforward")) is not None:
            part.get("expert", part).hidden_dim = hidden  # a mixture is as wide as its experts


def on_meta(config: DictConfig, vocabulary: Any) -> torch.nn.ModuleList:
    """Model and head without memory: shapes only."""
    with torch.device("meta"):
        return torch.nn.ModuleList(build_model(config, vocabulary))


def cost(experiment: Experiment) -> Cost:
    """Of a model of sequences: parameters, training FLOPs per token, and the memory of one pass."""
    config, vocab_size = experiment.config, experiment.arrays.tokenizer.vocab_size
    parts = on_meta(config, vocab_size)
    forward = _forward(parts, experiment.share.micro_size, experiment.batching.seq_len)
    memory = training_memory(forward, parameter_groups(parts), _of_groups(config))
    return Cost(count(parts), flops_per_token(experiment, parts), memory)


SHORT = 16
"""Tokens after which a recurrent cell's cost per token is known; counting its loop on a whole sequence takes seconds."""


def flops_per_token(experiment: Experiment, parts: torch.nn.ModuleList | None = None) -> float:
    """Training FLOPs per token; `parts`: model and head on the meta device, where they are there already."""
    parts = parts or on_meta(experiment.config, experiment.arrays.tokenizer.vocab_size)
    length = experiment.batching.seq_len
    if experiment.config.model.get("cell") is not None:  # a scan in chunks costs less on a few tokens than on many
        length = min(length, SHORT)
    return training_flops(_forward(parts, 1, length)) / length


def _forward(parts: torch.nn.ModuleList, rows: int, length: int) -> Callable[[], Tensor]:
    ids = torch.zeros(rows, length, dtype=torch.long, device="meta")
    return lambda: loss_of(parts, ids)


def _of_groups(config: DictConfig) -> Any:
    return configuration.build(config, "optimizer")


def loss_of(parts: torch.nn.ModuleList, ids: Tensor) -> Tensor:
    """A language model's loss, for its shapes."""
    model, head = parts
    states = model(ids).states
    loss = torch.nn.functional.cross_entropy(head(states).flatten(0, 1).float(), ids.flatten())
    return loss + sum(head.auxiliary(states, ids).values()) if isinstance(head, FurtherLosses) else loss
