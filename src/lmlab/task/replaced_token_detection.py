"""Replaced token detection: a generator fills hidden tokens, the model tells which are replaced (Clark et al. 2020, section 2).

Minimises the generator's -log p(hidden token) over hidden ones, plus `weight` times the cross-entropy of replaced or not over
all places. What the generator samples has no gradient; where it is the token that was hidden, nothing was replaced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, no_type_check

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.task.seeds import uniform_at
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, SequenceModel, Text


@no_type_check
@dataclass(frozen=True)
class Detected:
    """What both models say of a batch."""

    nll: Tensor
    """The generator's -log p of each hidden token [hidden]."""
    is_found: Tensor
    """Whether that token is its likeliest [hidden]."""
    filled: Tensor
    """Ids [batch, time] that the model was shown."""
    is_replaced: Tensor
    """[batch, time]"""
    scores: Tensor
    """[batch, time], above 0 where a token is taken for a replaced one."""
    losses: Mapping[str, Tensor]
    """Auxiliary losses of both models."""


class ReplacedTokenDetection(Task):
    """Wraps an encoder and a head with a generator.

    Args:
        model, head, plan: see Task; the head is a ReplacedToken.
        metric: makes the metric of a split, updated by what is known of each place.
        weight: of the loss of detection beside the generator's; lambda in the paper.
        temperature: of the generator's distribution that replacements are drawn from.
    """

    example = Text
    causal = False

    def __init__(
        self,
        *,
        model: SequenceModel,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
        weight: float,
        temperature: float,
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)
        self.weight, self.temperature = weight, temperature

    def forward(self, batch: Batch, chance: Float[Tensor, "hidden"]) -> Detected:
        """`chance`: from 0 to 1 for each hidden token, by which its replacement is drawn."""
        head: Any = self.head
        is_hidden = batch.targets != IGNORE
        hidden = batch.targets[is_hidden]
        logits, losses = head.generator(self.model.embedding(batch.inputs), batch.document, is_hidden)
        text = batch.inputs.masked_scatter(is_hidden, hidden)
        filled = batch.inputs.masked_scatter(is_hidden, drawn(logits.detach(), self.temperature, chance))
        output = self.model(filled, batch.document)
        return Detected(
            nll=F.cross_entropy(logits, hidden, reduction="none"),
            is_found=logits.argmax(dim=-1) == hidden,
            filled=filled,
            is_replaced=filled != text,
            scores=head(output.states).float(),
            losses={**output.extras.losses, **losses},
        )

    def on_held_out(self, batch: Batch) -> Detected:
        """What is replaced follows from the places alone, so that it is the same in any batch and on any number of ranks."""
        assert batch.place is not None, "evaluation says where its targets stand"
        found: Detected = self(batch, uniform_at(batch.place[batch.targets != IGNORE]))
        return found

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        assert batch.num_tokens is not None, "the step says how many tokens it has"
        found = self(batch, torch.rand(int((batch.targets != IGNORE).sum()), device=batch.targets.device))
        # The step's sum is divided by its hidden tokens, and detection is a mean over all of its tokens.
        share = self.weight * batch.num_targets / batch.num_tokens
        return found.nll.sum() + share * detection_loss(found)[_is_real(batch)].sum(), found.losses

    def evaluate(self, split: str, batch: Batch) -> None:
        is_hidden = batch.targets != IGNORE
        if not bool(is_hidden.any()):  # another rank counts it
            return
        found = self.on_held_out(batch)
        assert batch.place is not None
        zeros = torch.zeros_like(batch.place)
        self.metrics[split].update(
            nll=zeros.float().masked_scatter(is_hidden, found.nll),
            is_hidden=is_hidden,
            is_found=(zeros > 0).masked_scatter(is_hidden, found.is_found),
            detection=detection_loss(found),
            is_replaced=found.is_replaced,
            is_said=found.scores > 0,
            is_real=_is_real(batch),
            place=batch.place,
        )


def drawn(
    logits: Float[Tensor, "hidden vocab"], temperature: float, chance: Float[Tensor, "hidden"]
) -> Int[Tensor, "hidden"]:
    """The token in which the cumulated distribution passes `chance`: the same as adding Gumbel's noise, with one number each."""
    up_to = (logits / temperature).softmax(dim=-1).cumsum(dim=-1)
    found = torch.searchsorted(up_to, chance[:, None] * up_to[:, -1:], right=True)
    return found[:, 0].clamp(max=logits.shape[-1] - 1)


def detection_loss(found: Detected) -> Float[Tensor, "batch time"]:
    """-log p of what each place is, replaced or not."""
    return F.binary_cross_entropy_with_logits(found.scores, found.is_replaced.float(), reduction="none")


def _is_real(batch: Batch) -> Tensor:
    """Where there is no padding."""
    return torch.ones_like(batch.inputs, dtype=torch.bool) if batch.document is None else batch.document > 0
