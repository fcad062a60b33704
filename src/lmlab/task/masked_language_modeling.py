"""Masked language modelling: minimise -log p(hidden token | what is left of the text), over hidden ones (Devlin et al. 2019)."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, SequenceModel, Text

TOGETHER = 32
"""Copies of a window that go through the model at once, each with another token hidden."""


class MaskedLanguageModeling(Task):
    """Wraps an encoder and a head over the vocabulary.

    Args:
        model, head, plan: see Task.
        metric: makes the metric of a split, updated by (losses, whether each is right, places in the split).
        label_smoothing: weight of the uniform distribution in the target (Szegedy et al. 2016, section 7); in training only.
        pseudo_perplexity: about how many tokens of the test split are hidden one at a time (Salazar et al. 2020); 0: none.
        mask: the id that stands for a hidden token.
        special: ids that are not hidden.
        num_held_out: tokens of the test split.
    """

    example = Text
    causal = False

    def __init__(  # more than 8 arguments: what the text decides, and what the user does
        self,
        *,
        model: SequenceModel,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
        label_smoothing: float,
        pseudo_perplexity: int,
        mask: int,
        special: tuple[int, ...],
        num_held_out: int,
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)
        self.label_smoothing, self.mask, self.special = label_smoothing, mask, special
        self.every = max(1, num_held_out // pseudo_perplexity) if pseudo_perplexity else None

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        """Logits [hidden, vocab] in float32 and ids [hidden] of the hidden tokens, and auxiliary losses of the model."""
        output = self.model(batch.inputs, batch.document)
        is_hidden = batch.targets != IGNORE
        logits = self.head(output.states[is_hidden][None])[0].float()
        return logits, batch.targets[is_hidden], output.extras.losses

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits, targets, auxiliary = self(batch)
        return F.cross_entropy(logits, targets, reduction="sum", label_smoothing=self.label_smoothing), auxiliary

    def evaluate(self, split: str, batch: Batch) -> None:
        logits, targets, _ = self(batch)
        place = None if batch.place is None else batch.place[batch.targets != IGNORE]
        self.metrics[split].update(*_scored(logits, targets), place)
        if split == "test" and self.every is not None:
            for row in self._chosen(batch):
                self.metrics[split].update(*self._one_at_a_time(batch, row), one_at_a_time=True)

    def _chosen(self, batch: Batch) -> list[int]:
        """Rows whose number among the windows of the split is a multiple of `every`; none of what another rank counts."""
        assert batch.place is not None, "evaluation says where its targets stand"
        if self.every is None or not bool((batch.targets != IGNORE).any()):
            return []
        window = batch.place[:, 0] // batch.place.shape[1]
        found: list[int] = torch.nonzero(window % self.every == 0)[:, 0].tolist()
        return found

    def _one_at_a_time(self, batch: Batch, row: int) -> tuple[Tensor, Tensor]:
        """-log p of each token of a row that is not special, given all others, and whether it is the likeliest."""
        targets = batch.targets[row]
        text = torch.where(targets != IGNORE, targets, batch.inputs[row])
        is_asked = ~torch.isin(text, torch.tensor(self.special, device=text.device))
        document = None if batch.document is None else batch.document[row]
        if document is not None:
            is_asked &= document > 0
        parts = torch.split(torch.nonzero(is_asked)[:, 0], TOGETHER)
        found = [self._scored_at(text, document, places) for places in parts if len(places)]
        if not found:
            return text.new_zeros(0, dtype=torch.float), text.new_zeros(0, dtype=torch.bool)
        nll, is_right = zip(*found)
        return torch.cat(nll), torch.cat(is_right)

    def _scored_at(self, text: Tensor, document: Tensor | None, places: Tensor) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(places), device=text.device)
        inputs = text.repeat(len(places), 1)
        inputs[rows, places] = self.mask
        documents = None if document is None else document.repeat(len(places), 1)
        states = self.model(inputs, documents).states[rows, places]
        return _scored(self.head(states[None])[0].float(), text[places])


def _scored(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """-log p of each target, and whether it is the likeliest."""
    return F.cross_entropy(logits, targets, reduction="none"), logits.argmax(dim=-1) == targets
