"""Tagging: minimise -log p(tags | sentence), word by word or of the sentence as a whole, as the head has it."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from lmlab.examples import Tagged
from lmlab.task.task import Task
from lmlab.types import IGNORE, Batch


class Tagging(Task):
    """Wraps an encoder and a head over the tags; see Task.

    The head makes scores of states, which say the `loss` of targets and the `best` tags. The metric is updated by (summed
    loss, tags, targets, places in the split) of the words of a batch.
    """

    example = Tagged
    causal = False

    def forward(self, batch: Batch) -> tuple[Any, Mapping[str, Tensor]]:
        """What the head makes of the states, and auxiliary losses of the model."""
        output = self.model(batch.inputs, batch.document)
        return self.head(output.states), output.extras.losses

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        scores, auxiliary = self(batch)
        return scores.loss(batch.targets), auxiliary

    def evaluate(self, split: str, batch: Batch) -> None:
        scores, _ = self(batch)
        is_word = batch.targets != IGNORE
        assert batch.place is not None, "evaluation says where words stand"
        self.metrics[split].update(
            scores.loss(batch.targets), scores.best(is_word)[is_word], batch.targets[is_word], batch.place[is_word]
        )
