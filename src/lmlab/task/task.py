"""What every task with gradients shares: the step, its losses over passes and ranks, clipping, evaluation, counters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric

from lmlab.task.clipping import clip
from lmlab.task.exchange import Exchange
from lmlab.task.seeds import seed_generator, stream_seed
from lmlab.types import Batch, Schedule, SequenceModel, replica


@dataclass(frozen=True)
class Plan:
    """How a task is trained."""

    optimizer: Callable[[nn.Module], Optimizer]
    """Module -> optimizer over its parameter groups."""
    schedule: Schedule
    """Step -> factor on each group's learning rate."""
    num_micro: int
    """Passes per step."""
    total_steps: int | None
    """Where training ends, for displays; None: open end."""
    seed: int
    """Of dropout."""
    gradient_clip: float | None
    """Largest norm of the whole gradient (Pascanu et al. 2013); None: no clipping."""


class Task(pl.LightningModule):
    """Wraps a model and a head; a subclass says what is minimised (`objective`) and what is measured (`evaluate`).

    Its own counters, not Lightning's, say where the run stands: `step` optimizer steps are done, and `micro` passes of the
    step that is under way. Everything random in a pass follows from (seed, step, micro, data-parallel rank).

    Args:
        model: inputs -> states.
        head: states -> predictions.
        metric: makes the metric of a split ("val", "test").
        plan: how it is trained.
    """

    example: type
    """What a data source must give."""
    causal: bool
    """The role of the model that it needs: a decoder, or an encoder."""
    autocasts = True
    """Whether its passes can be computed in a shorter float."""

    def __init__(
        self,
        *,
        model: SequenceModel,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
    ) -> None:
        super().__init__()
        self.model, self.head = model, head
        self.metrics: Any = nn.ModuleDict({split: metric(split) for split in ("val", "test")})
        self.optimizer_factory, self.schedule = plan.optimizer, plan.schedule
        self.num_micro, self.total_steps, self.seed = plan.num_micro, plan.total_steps, plan.seed
        self.gradient_clip = plan.gradient_clip
        self.step, self.micro, self.tokens = 0, 0, 0
        self.exchange = Exchange()
        self.latest: dict[str, Tensor | float] = {}
        self._step_auxiliary: dict[str, Tensor] = {}

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss summed over the targets of a pass, and auxiliary losses, each already weighted."""
        raise NotImplementedError

    def evaluate(self, split: str, batch: Batch) -> None:
        """Adds a batch to the metric of a split."""
        raise NotImplementedError

    # The step.

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        rank, world = replica(self.trainer.strategy)
        seed_generator(stream_seed(self.seed, self.step, self.micro, rank), self.device)
        total, auxiliary = self.objective(batch)
        self._observe(total.detach(), auxiliary, batch)
        loss = total / batch.num_targets + sum(auxiliary.values()) / (self.num_micro * world)
        self.micro += 1
        # Lightning divides by the passes and the strategy by the ranks: the division by the step's targets is the right one.
        scaled: Tensor = loss * (self.num_micro * world)
        return scaled

    def _observe(self, total: Tensor, auxiliary: Mapping[str, Tensor], batch: Batch) -> None:
        if self.micro == 0:
            self._step_loss = torch.zeros_like(total)
            self._step_auxiliary = {name: torch.zeros_like(loss) for name, loss in auxiliary.items()}
        self._step_loss = self._step_loss + total
        for name, loss in auxiliary.items():
            self._step_auxiliary[name] = self._step_auxiliary[name] + loss.detach()
        if self.micro == self.num_micro - 1:
            world = replica(self.trainer.strategy)[1]
            copies = self.trainer.world_size // world  # ranks that compute the same share
            means = [loss / (self.num_micro * world * copies) for loss in self._step_auxiliary.values()]
            found = self.exchange.start([self._step_loss / (batch.num_targets * copies), *means])
            names = ["loss", *(f"train/{name}" for name in self._step_auxiliary)]
            self.latest.update(zip(names, found, strict=True))
            self.tokens += batch.num_targets if batch.num_tokens is None else batch.num_tokens

    def on_after_backward(self) -> None:
        if self.micro == self.num_micro:
            self.exchange.finish(self.step + 1)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        factor = self.schedule(self.step)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.step, self.micro = self.step + 1, 0

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        if self.trainer.strategy.handles_gradient_accumulation:  # DeepSpeed's, which holds the gradients and clips them
            return
        limit = float("inf") if self.gradient_clip is None else self.gradient_clip
        self.latest["grad_norm"] = clip(self.parameters(), limit)

    def configure_optimizers(self) -> Optimizer:
        optimizer = self.optimizer_factory(self)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)

    # Evaluation.

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self.evaluate("val", batch)

    def test_step(self, batch: Batch, batch_index: int) -> None:
        self.evaluate("test", batch)

    def on_validation_epoch_end(self) -> None:
        self._conclude("val")

    def on_test_epoch_end(self) -> None:
        self._conclude("test")

    def _conclude(self, split: str) -> None:
        results = {f"{split}/{name}": float(value) for name, value in self.metrics[split].compute().items()}
        self.metrics[split].reset()
        self.latest.update(results)
        self.log_dict(results, logger=False)

    # What a checkpoint carries beside weights and optimizer.

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Lightning's own loop counters stand still or run ahead within a step; lmlab's say all that a resume needs.
        checkpoint.pop("loops", None)
        checkpoint["lmlab"] = {"schema": 2, "step": self.step, "tokens": self.tokens}

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        ours = checkpoint["lmlab"]
        self.step, self.micro, self.tokens = ours["step"], 0, ours["tokens"]
