"""mean <- d mean + (1 - d) weights after every step (Polyak and Juditsky 1992); the mean is what is evaluated and kept.

Lightning's own WeightAveraging is not used: it swaps the weights back before `on_validation_end`, where the best are
saved, and it keeps a copy of the whole LightningModule.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import FSDPStrategy, ModelParallelStrategy
from torch import Tensor, nn

from lmlab.types import Mistake


class EMA(pl.Callback):
    """From the start of a validation to the next training step, and after the last step, the module holds the mean.

    A full checkpoint's `state_dict` is the mean, so that whoever loads it gets what was evaluated; the weights that
    training goes on from are beside it. It reads `pl_module.step` and works wherever it stands among the callbacks.

    Args:
        decay: d, for example 0.999; (1 + step) / (10 + step) while that is less, so that the first weights are soon
            forgotten. None: off.
    """

    def __init__(self, *, decay: float | None) -> None:
        if decay is not None and not 0 < decay < 1:
            raise Mistake(f"ema.decay={decay} is not between 0 and 1; set ema.decay, for example to 0.999, or to null")
        self.decay = decay
        self.step = 0
        self.mean: dict[str, Tensor] = {}
        self.aside: dict[str, Tensor] = {}
        """The weights of training while the module holds the mean."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.decay is None:
            return
        if isinstance(trainer.strategy, FSDPStrategy | ModelParallelStrategy):
            raise Mistake("ema.decay does not work with parameters in shards; set ema.decay=null or strategy=ddp")
        self._put_back(pl_module)
        weights = trainable(pl_module)
        known = self.mean or {name: weight.detach().float().clone() for name, weight in weights.items()}
        self.mean = {name: known[name].to(weight.device) for name, weight in weights.items()}
        self.step = pl_module.step

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._put_back(pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._follow(pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._put_in(pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._put_in(pl_module)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._put_in(pl_module)  # where a run is resumed after its last step, there is no training to end

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if not self.mean:
            return
        self._follow(pl_module)
        weights = trainable(pl_module)
        names = {id(weight): name for name, weight in weights.items()}
        for alias, weight in pl_module.named_parameters(remove_duplicate=False):  # tied weights have several names
            if id(weight) in names:
                checkpoint["state_dict"][alias] = self.mean[names[id(weight)]].to(weight.dtype)
        current = self.aside or {name: weight.detach() for name, weight in weights.items()}
        checkpoint["ema"] = {"mean": self.mean, "current": current}

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if "ema" not in checkpoint or trainer.state.fn != "fit":
            return
        with torch.no_grad():
            for name, weight in trainable(pl_module).items():
                weight.copy_(checkpoint["ema"]["current"][name])
        self.mean = {} if self.decay is None else checkpoint["ema"]["mean"]
        self.aside, self.step = {}, pl_module.step

    def _follow(self, pl_module: Any) -> None:
        """Once per step, whichever hook comes first."""
        if not self.mean or pl_module.step == self.step:
            return
        assert self.decay is not None
        assert not self.aside, "a step was taken on the mean instead of the weights"
        decay = min(self.decay, (1 + pl_module.step) / (10 + pl_module.step))
        weights = [weight.detach().float() for weight in trainable(pl_module).values()]
        torch._foreach_lerp_(list(self.mean.values()), weights, 1 - decay)
        self.step = pl_module.step

    @torch.no_grad()
    def _put_in(self, pl_module: Any) -> None:
        self._follow(pl_module)
        if self.mean and not self.aside:
            weights = trainable(pl_module)
            self.aside = {name: weight.detach().clone() for name, weight in weights.items()}
            for name, weight in weights.items():
                weight.copy_(self.mean[name])

    @torch.no_grad()
    def _put_back(self, pl_module: Any) -> None:
        if self.aside:
            for name, weight in trainable(pl_module).items():
                weight.copy_(self.aside[name])
            self.aside = {}


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that training changes, each once."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
