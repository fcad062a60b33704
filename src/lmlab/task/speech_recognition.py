"""Speech recognition: minimise -log p(transcript | recording), a sum over paths through the states (Graves et al. 2006)."""

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.examples import Speech
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch

Decode = Callable[[Tensor, Tensor], list[list[int]]]
"""Log probabilities [batch, states, symbols] and how many states each has [batch] -> the tokens of each."""


class SpeechRecognition(Task):
    """Wraps a model of recordings and a head whose last symbol is the blank.

    Args:
        model: features and document -> states; its `heard` gives the states' document.
        head, plan: see Task.
        metric: makes the metric of a split, updated by (losses, what was found, what was said).
        decode: what is found, in evaluation.
    """

    example = Speech
    causal = False

    def __init__(
        self,
        *,
        model: nn.Module,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
        decode: Decode,
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)  # type: ignore[arg-type]
        self.decode = decode

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        """Log probabilities [batch, states, symbols] in float32, how many states are real, auxiliary losses of the model."""
        output = self.model(batch.inputs, batch.document)
        lengths = (self.model.heard(batch.document) > 0).sum(dim=1)  # type: ignore[attr-defined]
        return self.head(output.states).float().log_softmax(dim=-1), lengths, output.extras.losses

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        log_probs, lengths, auxiliary = self(batch)
        return losses(log_probs, lengths, batch.targets).sum(), auxiliary

    def evaluate(self, split: str, batch: Batch) -> None:
        log_probs, lengths, _ = self(batch)
        each = losses(log_probs, lengths, batch.targets)
        said = [[token for token in row if token != IGNORE] for row in batch.targets.tolist()]
        found = self.decode(log_probs, lengths)
        is_known = [bool(tokens) for tokens in said]
        kept = [number for number, known in enumerate(is_known) if known]
        places = None if batch.place is None else batch.place[kept]
        self.metrics[split].update(each[kept], [found[one] for one in kept], [said[one] for one in kept], places)


def losses(log_probs: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
    """-log p of each transcript [batch]; 0 where there is none, or where it has more tokens than there are states.

    Args:
        log_probs: [batch, states, symbols], of which the last is the blank.
        lengths: states of each recording [batch].
        targets: tokens [batch, longest], IGNORE behind a transcript.
    """
    is_token = targets != IGNORE
    found = F.ctc_loss(
        log_probs.transpose(0, 1),
        targets.masked_fill(~is_token, 0),
        lengths,
        is_token.sum(dim=1),
        blank=log_probs.shape[-1] - 1,
        reduction="none",
        zero_infinity=True,
    )
    return found.masked_fill(~is_token.any(dim=1), 0.0)
