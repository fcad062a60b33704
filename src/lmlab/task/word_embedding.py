"""Word vectors: passes over text or counts that change the vectors in place, and what is measured of them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric

from lmlab.task.exchange import Exchange
from lmlab.task.seeds import stream_seed
from lmlab.types import Cooccurrences, Schedule, Text, WordHead, WordModel, WordWindows


class WordEmbedding(pl.LightningModule):
    """Wraps a model of words and a head, which updates both in place: there is no backward pass.

    A step follows from (seed, step) where one thread computes it; several that write without locks (Recht et al. 2011) are
    faster, and then the bits vary between runs.

    Args:
        model: word -> vector.
        head: what is predicted of a word, and the rule of the update.
        metric: makes the metric of a split ("val", "test"), updated by (summed loss, number of predictions).
        evaluations: metrics of the vectors themselves by name, updated by vectors [vocab, dim]; measured with "val".
        optimizer: module -> optimizer: its rate, and what state the rule of the update has.
        schedule: step -> factor on the rate.
        total_steps: where training ends, for displays; None: open end.
        seed: of what is drawn at random.
        threads: that the machine gives.
        lock_free: whether all of them compute, or one alone.
    """

    example = Text
    autocasts = False
    """Vectors are float32 throughout: their updates are far below what bfloat16 can add."""
    num_micro = 1

    def __init__(
        self,
        *,
        model: WordModel,
        head: WordHead,
        metric: Callable[[str], Metric],
        evaluations: Mapping[str, Metric],
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: Schedule,
        total_steps: int | None,
        seed: int,
        threads: int,
        lock_free: bool,
    ) -> None:
        super().__init__()
        self.model: Any = model
        self.head: Any = head
        self.metrics: Any = nn.ModuleDict({split: metric(split) for split in ("val", "test")})
        self.evaluations: Any = nn.ModuleDict(evaluations)
        self.optimizer_factory, self.schedule = optimizer, schedule
        self.total_steps, self.seed = total_steps, seed
        self.threads = threads if lock_free else 1
        self.step, self.micro, self.tokens = 0, 0, 0
        self.exchange = Exchange()
        self.latest: dict[str, Tensor | float] = {}

    # The step.

    def training_step(self, batch: WordWindows | Cooccurrences, batch_index: int) -> None:
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        rate = optimizer.param_groups[0]["lr"]
        total, number = self._pass(batch, optimizer, rate, stream_seed(self.seed, self.step))
        self.latest["loss"] = torch.tensor(total / max(number, 1))
        self.tokens += batch.num_tokens
        self.micro = 1

    def _pass(
        self, batch: WordWindows | Cooccurrences, optimizer: Optimizer, rate: float, seed: int
    ) -> tuple[float, int]:
        found: tuple[float, int] = self.head.update(
            self.model, batch, optimizer, rate, seed=seed, threads=self.threads if rate else 1
        )
        return found

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        factor = self.schedule(self.step)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        super().optimizer_step(
            epoch, batch_idx, optimizer, optimizer_closure
        )  # no gradients: it calls training_step alone
        self.step, self.micro = self.step + 1, 0

    def configure_optimizers(self) -> Optimizer:
        optimizer = self.optimizer_factory(self)
        self.head.check(self.model, optimizer)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)

    # Evaluation.

    def validation_step(self, batch: WordWindows | Cooccurrences, batch_index: int) -> None:
        self._evaluate("val", batch, batch_index)

    def test_step(self, batch: WordWindows | Cooccurrences, batch_index: int) -> None:
        self._evaluate("test", batch, batch_index)

    def _evaluate(self, split: str, batch: WordWindows | Cooccurrences, batch_index: int) -> None:
        total, number = self._pass(batch, self._idle_optimizer(), 0.0, stream_seed(self.seed, batch_index))
        self.metrics[split].update(torch.tensor(total), number)

    def _idle_optimizer(self) -> Optimizer:
        """For a rate of 0, which measures and touches no state: that of the fit, if there is one."""
        known = self.trainer.optimizers
        return known[0] if known else self.optimizer_factory(self)

    def on_validation_epoch_end(self) -> None:
        self._conclude("val", self.evaluated())

    def on_test_epoch_end(self) -> None:
        self._conclude("test", {})

    def _conclude(self, split: str, others: dict[str, float]) -> None:
        found = {name: float(value) for name, value in self.metrics[split].compute().items()} | others
        results = {f"{split}/{name}": value for name, value in found.items()}
        self.metrics[split].reset()
        self.latest.update(results)
        self.log_dict(results, logger=False)

    @torch.no_grad()
    def evaluated(self) -> dict[str, float]:
        """The figures of the vectors as they are: those of evaluation NAME as `NAME` and `NAME/part`."""
        if not self.evaluations:
            return {}
        vectors, found = self.model.vectors(), {}
        for name, metric in self.evaluations.items():
            metric.reset()
            metric.update(vectors)
            found.update({f"{name}/{part}" if part else name: value for part, value in metric.compute().items()})
        return found

    # What a checkpoint carries beside weights and optimizer.

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint.pop("loops", None)
        checkpoint["lmlab"] = {"schema": 2, "step": self.step, "tokens": self.tokens}

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        ours = checkpoint["lmlab"]
        self.step, self.micro, self.tokens = ours["step"], 0, ours["tokens"]
