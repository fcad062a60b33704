"""The LightningDataModule: train, val and test batches, from where the run stands."""

from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from lmlab.batch.sampler import Share, StepSampler, loader
from lmlab.batch.shared import Shared
from lmlab.types import Batch, replica


@runtime_checkable
class Batching(Protocol):
    """What `conf/batch/*.yaml` builds."""

    num_workers: int
    seq_len: int
    size: int
    carries_state: bool

    def share(self, *, rank: int = 0, world: int = 1) -> Share: ...
    def steps_per_epoch(self, tokens: Any) -> int: ...
    def train(self, tokens: Any, *, rank: int = 0, world: int = 1) -> Dataset[Batch]: ...
    def eval(self, tokens: Any) -> Dataset[Batch]: ...


class TokenBatches(pl.LightningDataModule):
    """Batches of the splits of tokenised text, or of rows.

    Args:
        tokens: ids, or rows, by split name.
        batching: how ids become batches.
        start_step: the step that the run stands at; the batch made next is that step's.
        total_steps: where training ends; None: open end.
        overfit: repeat the first step's batch for ever.
        limit_val: share (float) or number (int) of validation batches.
    """

    def __init__(
        self,
        *,
        tokens: dict[str, Any],
        batching: Batching,
        start_step: int,
        total_steps: int | None,
        overfit: bool = False,
        limit_val: float | int = 1.0,
    ) -> None:
        super().__init__()
        self.tokens, self.batching, self.limit_val = tokens, batching, limit_val
        self.start_step, self.total_steps, self.overfit = start_step, total_steps, overfit

    def train_dataloader(self) -> "DataLoader[Batch]":
        rank, world = replica(self.trainer.strategy) if self.trainer else (0, 1)
        dataset = self.batching.train(self.tokens["train"], rank=rank, world=world)
        num_micro = self.batching.share(rank=rank, world=world).num_micro
        sampler = StepSampler(start=self.start_step, stop=self.total_steps, num_micro=num_micro)
        return loader(
            FirstStep(dataset) if self.overfit else dataset, sampler=sampler, num_workers=self.batching.num_workers
        )

    def val_dataloader(self) -> Any:
        return self._eval("val", self.limit_val)

    def test_dataloader(self) -> Any:
        return self._eval("test", 1.0)

    def _eval(self, split: str, limit: float | int) -> Any:
        if not len(self.tokens[split]):
            return []
        batches: Any = self.batching.eval(self.tokens[split])
        num = min(len(batches), limit) if isinstance(limit, int) else max(1, int(len(batches) * limit))
        return loader(self._shared(batches, num), sampler=None, num_workers=0)

    def _shared(self, batches: Any, num: int) -> Shared:
        """This rank's part; ranks that hold parts of one model see the same batches, and one of them counts."""
        if not self.trainer:
            return Shared(batches, num)
        rank, world = replica(self.trainer.strategy)
        is_counted = self.trainer.global_rank % (self.trainer.world_size // world) == 0
        if self.batching.carries_state:  # each batch follows from the one before: all compute all of them
            return Shared(batches, num, is_counted=is_counted and rank == 0)
        return Shared(batches, num, rank=rank, world=world, is_counted=is_counted)


class FirstStep(Dataset[Any]):
    """The first step's batches at every step, to see a model overfit them."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, key: tuple[int, int]) -> Any:
        return self.dataset[0, key[1]]
