"""Stops at, or leaves out, a step whose loss or gradient is not a number, or whose loss is far above its running mean.

Leaving out steps with a spike in the loss is what PaLM's authors did by hand (Chowdhery et al. 2022, section 5.1).
"""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from lmlab.types import Failed, Mistake

log = logging.getLogger(__name__)

SETTLED = 10
"""Losses that the running mean is made of before a spike is one."""

FADE = 0.02
"""The least weight of the newest loss in the running mean, which so covers some 50 steps."""


class Guard(pl.Callback):
    """Reads `pl_module.step` and `pl_module.latest`: "loss", the whole step's over all ranks, and "grad_norm" where there is one.

    With "stop" a GPU is asked every `every` steps only, and before each validation and checkpoint; the step named is
    the first bad one all the same. With "skip" a step must be known before it is applied: the device is waited for.

    Args:
        on_nan: "stop", "skip" (the step changes neither weights nor optimizer, nor do they decay) or "off".
        spike: A loss above this many times its running mean is treated like a NaN; None: no loss is too high.
        every: Steps between two looks at a GPU.
        max_skips: After more skips than this in a row it stops.
    """

    def __init__(self, *, on_nan: str | bool, spike: float | None, every: int = 10, max_skips: int = 20) -> None:
        self.on_nan = "off" if on_nan is False else on_nan  # YAML reads a bare off as false
        if self.on_nan not in ("stop", "skip", "off"):
            raise Mistake(f"guard.on_nan={on_nan} is none of stop, skip, off; set guard.on_nan to one of them")
        if spike is not None and self.on_nan == "off":
            raise Mistake(f"guard.spike={spike} does nothing with guard.on_nan=off; set guard.on_nan to stop or skip")
        if spike is not None and not spike > 1:
            raise Mistake(f"guard.spike={spike} is not above the mean loss itself; set guard.spike above 1, to 3 say")
        self.spike, self.every, self.max_skips = spike, every, max_skips
        self.mean, self.count = torch.zeros(()), 0
        self.num_skipped, self.num_in_a_row = 0, 0
        self.first_bad, self.bad_loss = torch.tensor(-1), torch.zeros(())

    def state_dict(self) -> dict[str, Any]:
        names = ("count", "num_skipped", "num_in_a_row")
        return {"mean": float(self.mean)} | {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.mean, self.count = torch.tensor(state_dict["mean"], dtype=torch.float32), state_dict["count"]
        self.num_skipped, self.num_in_a_row = state_dict["num_skipped"], state_dict["num_in_a_row"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.mean = self.mean.to(pl_module.device)
        self.first_bad = torch.tensor(-1, device=pl_module.device)
        self.bad_loss = torch.zeros((), device=pl_module.device)

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
        if self.on_nan == "off":
            return
        loss = pl_module.latest["loss"].detach().float()
        is_bad = ~torch.isfinite(loss)
        if self.spike is not None and self.count >= SETTLED:
            is_bad = is_bad | (loss > self.spike * self.mean)
        if self.on_nan == "stop":
            self._remember(is_bad, loss, pl_module.step)
        elif self._skips(is_bad, loss, trainer, pl_module, optimizer):
            return
        weight = max(1 / (self.count + 1), FADE)  # at first the plain mean of all losses
        self.mean = torch.where(is_bad, self.mean, self.mean + (loss - self.mean) * weight)
        self.count += 1

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.on_nan != "stop" or pl_module.micro:
            return
        # Infinite gradients under a scaler are its own affair: it leaves the step out and scales less.
        if "grad_norm" in pl_module.latest and trainer.scaler is None:
            norm = torch.as_tensor(pl_module.latest["grad_norm"]).float()
            self._remember(~torch.isfinite(norm), norm, pl_module.step - 1, is_gradient=True)
        if pl_module.device.type == "cpu" or pl_module.step % self.every == 0:
            self._stop_if_bad(pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._stop_if_bad(pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._stop_if_bad(pl_module)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Nothing that is not a number is ever saved as a point to resume from."""
        self._stop_if_bad(pl_module)
        if self.on_nan != "off" and not are_finite(list(pl_module.parameters())):
            raise Failed(explanation("a weight is not a finite number after", pl_module.step, pl_module))

    def _remember(self, is_bad: Tensor, value: Tensor, step: int, *, is_gradient: bool = False) -> None:
        """Keeps the first bad step on the device: twice its number, and one more for a gradient."""
        is_first = is_bad & (self.first_bad < 0)
        self.first_bad = torch.where(is_first, 2 * step + is_gradient, self.first_bad)
        self.bad_loss = torch.where(is_first, value, self.bad_loss)

    def _stop_if_bad(self, pl_module: Any) -> None:
        first = int(self.first_bad)
        if first >= 0:
            what = "the norm of the gradient" if first % 2 else "the loss"
            raise Failed(explanation(f"{what} is {self._figure(self.bad_loss)} at", first // 2 + 1, pl_module))

    def _skips(self, is_bad: Tensor, loss: Tensor, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> bool:
        """Takes a bad step's gradients away, so that no optimizer does anything; all ranks decide alike."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        is_skipped = bool(is_bad) or (trainer.scaler is None and not are_finite(gradients))
        if not trainer.strategy.reduce_boolean_decision(not is_skipped, all=True):
            optimizer.zero_grad(set_to_none=True)
            self.num_skipped, self.num_in_a_row = self.num_skipped + 1, self.num_in_a_row + 1
            what = f"the loss is {self._figure(loss)}" if bool(is_bad) else "the gradient is not finite"
            log.warning("step %d is skipped: %s", pl_module.step + 1, what)
            if self.num_in_a_row > self.max_skips:
                raise Failed(
                    explanation(f"{self.num_in_a_row} steps in a row were skipped up to", pl_module.step + 1, pl_module)
                )
            return True
        self.num_in_a_row = 0
        return False

    def _figure(self, value: Tensor) -> str:
        number = float(value)
        is_spike = self.spike is not None and abs(number) < float("inf")
        return (
            f"{number:.4g}, above guard.spike={self.spike} times its mean {float(self.mean):.4g},"
            if is_spike
            else f"{number}"
        )


def are_finite(tensors: list[Tensor]) -> bool:
    """One pass over all of them, or over this rank's pieces, and one question to the device."""
    pieces = [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]
    return not pieces or bool(torch.stack(torch._foreach_norm(pieces)).isfinite().all())


def explanation(what: str, step: int, pl_module: Any) -> str:
    """What happened, when, and the keys that help."""
    rate = max(group["lr"] for group in pl_module.optimizers().param_groups)
    return (
        f"{what} step {step}: training has diverged; set optimizer.lr lower (the rate is {rate:.3g} here), "
        "trainer.gradient_clip_val lower or trainer.precision=32-true; guard.on_nan=skip leaves such steps out"
    )
