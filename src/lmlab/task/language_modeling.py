"""Language modelling: minimise -log p(token | tokens before it), summed over the step's targets and divided by their number."""

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric

from lmlab.task.carried import Carried
from lmlab.task.clipping import clip
from lmlab.task.exchange import Exchange
from lmlab.task.seeds import seed_generator, stream_seed
from lmlab.types import IGNORE, Batch, Output, Schedule, SequenceModel, replica


class LanguageModeling(pl.LightningModule):
    """Wraps a causal model and a head over the vocabulary.

    Its own counters, not Lightning's, say where the run stands: `step` optimizer steps are done, and `micro` passes of the
    step that is under way. Everything random in a pass follows from (seed, step, micro, data-parallel rank).

    Args:
        model: ids -> states.
        head: states -> logits.
        metric: makes the metric of a split ("val", "test"), updated by (losses, which are targets, their places in the split).
        optimizer: parameter groups -> optimizer; groups: the module's parameters in groups.
        schedule: step -> factor on each group's learning rate.
        num_micro: passes per step.
        total_steps: where training ends, for displays; None: open end.
        seed: of dropout.
        gradient_clip: largest norm of the whole gradient (Pascanu et al. 2013); None: no clipping.
        label_smoothing: weight of the uniform distribution in the target (Szegedy et al. 2016, section 7); in training only.
    """

    causal = True
    """The role of the model that it needs: a decoder."""
    autocasts = True
    """Whether its passes can be computed in a shorter float."""

    def __init__(
        self,
        *,
        model: SequenceModel,
        head: nn.Module,
        metric: Callable[[str], Metric],
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: Schedule,
        num_micro: int,
        total_steps: int | None,
        seed: int,
        gradient_clip: float | None,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.model, self.head = model, head
        self.metrics: Any = nn.ModuleDict({split: metric(split) for split in ("val", "test")})
        self.optimizer_factory, self.schedule = optimizer, schedule
        self.num_micro, self.total_steps, self.seed = num_micro, total_steps, seed
        self.gradient_clip, self.label_smoothing = gradient_clip, label_smoothing
        self.step, self.micro, self.tokens = 0, 0, 0
        self.carried, self.exchange = Carried(), Exchange()
        self.latest: dict[str, Tensor | float] = {}
        self._step_auxiliary: dict[str, Tensor] = {}

    # The step.

    def forward(self, batch: Batch, state: Any = None) -> tuple[Tensor, Output]:
        """Logits [batch, time, vocab] and what the model returned."""
        output = self.model(batch.inputs, batch.document, None, state)
        return self.head(output.states), output

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        rank, world = replica(self.trainer.strategy)
        seed_generator(stream_seed(self.seed, self.step, self.micro, rank), self.device)
        logits, output = self(batch, self.carried.before(self.micro, batch))
        total = summed_loss(logits, batch.targets, self.label_smoothing)
        self.carried.keep(self.micro, batch, output.state)
        auxiliary = output.extras.losses
        self._observe(total.detach(), auxiliary, batch)
        loss = total / batch.num_targets + sum(auxiliary.values()) / (self.num_micro * world)
        self.micro += 1
        # Lightning divides by the passes and the strategy by the ranks: the division by the step's targets is the right one.
        scaled: Tensor = loss * (self.num_micro * world)
        return scaled

    def _observe(self, total: Tensor, auxiliary: dict[str, Tensor], batch: Batch) -> None:
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
            self.tokens += batch.num_targets

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
        self._evaluate("val", batch)

    def test_step(self, batch: Batch, batch_index: int) -> None:
        self._evaluate("test", batch)

    def on_validation_epoch_start(self) -> None:
        self._eval_state = None

    def on_test_epoch_start(self) -> None:
        self._eval_state = None

    def _evaluate(self, split: str, batch: Batch) -> None:
        state = None if batch.is_start or batch.rows is None else self._eval_state
        logits, output = self(batch, state)
        self._eval_state = output.state if batch.rows is not None else None
        self.metrics[split].update(losses(logits, batch.targets), batch.targets != IGNORE, batch.place)

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
        checkpoint["lmlab"] = {
            "schema": 2,
            "step": self.step,
            "tokens": self.tokens,
            "carried": self.carried.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        ours = checkpoint["lmlab"]
        self.step, self.micro, self.tokens = ours["step"], 0, ours["tokens"]
        self.carried.load(ours["carried"])


def summed_loss(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Sum of -log p over the targets that are not IGNORE, in float32: logits [batch, time, vocab], targets [batch, time]."""
    return F.cross_entropy(
        logits.flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=IGNORE,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


def losses(logits: Tensor, targets: Tensor) -> Tensor:
    """-log p of each target, 0 where it is IGNORE, in float32: logits [batch, time, vocab], targets [batch, time]."""
    found = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORE, reduction="none")
    return found.view_as(targets)
