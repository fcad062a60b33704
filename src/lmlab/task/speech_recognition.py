"""Speech recognition: minimise -log p(transcript | recording), w of CTC and 1 - w of attention (Watanabe et al. 2017, eq. 20).

CTC sums over paths through the encoder's states (Graves et al. 2006); with attention a decoder writes the transcript token by
token (Chan et al. 2016). Which of the two there are, and w, the head says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.examples import Speech
from lmlab.recognition import num_states, symbol_log_probs
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, Memory

Transcribe = Callable[[Any, Memory], list[list[int]]]
"""Model and head (under these names), what the encoder made of recordings -> the tokens of each."""


class Recognised(NamedTuple):
    """What is known of a batch of recordings."""

    memory: Memory
    log_probs: Tensor | None
    """Of symbols and the blank [batch, states, symbols], float32; None without CTC."""
    lengths: Tensor
    """States of each recording [batch]."""
    logits: Tensor | None
    """Of each token of the transcripts and their `<eos>` [batch, tokens + 1, vocab]; None without a decoder."""
    auxiliary: Mapping[str, Tensor]
    """Losses of the model."""


class SpeechRecognition(Task):
    """Wraps a model of recordings and a Recogniser.

    Args:
        model: features and document -> Memory, by `encode`; with a decoder it is a Conditional.
        head, plan: see Task.
        metric: makes the metric of a split, updated by (losses, what was found, what was said).
        transcribe: what is found, in evaluation.
        eos: the token that ends a transcript.
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
        transcribe: Transcribe,
        eos: int,
    ) -> None:
        super().__init__(model=model, head=head, metric=metric, plan=plan)  # type: ignore[arg-type]
        self.transcribe, self.eos = transcribe, eos

    def forward(self, batch: Batch) -> Recognised:
        model: Any = self.model
        memory = model.encode(batch.inputs, batch.document)
        log_probs = None if self.head.ctc is None else symbol_log_probs(self.head, memory)
        lengths = num_states(memory)
        if self.head.ctc_weight == 1:
            return Recognised(memory, log_probs, lengths, None, memory.extras.losses)
        inputs, document = spelled(batch.targets, self.eos)
        output = model(inputs, document, memory)
        of_encoder = {f"encoder_{name}": loss for name, loss in memory.extras.losses.items()}
        auxiliary = {**of_encoder, **output.extras.losses}
        return Recognised(memory, log_probs, lengths, self.head(output.states), auxiliary)

    def loss(self, found: Recognised, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Of each recording [batch]; 0 where there is no transcript."""
        weight = float(self.head.ctc_weight)  # type: ignore[arg-type]
        parts = []
        if found.log_probs is not None:
            parts.append(weight * losses(found.log_probs, found.lengths, targets))
        if found.logits is not None:
            parts.append((1 - weight) * token_losses(found.logits, ended(targets, self.eos), label_smoothing))
        return sum(parts[1:], parts[0])

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        found = self(batch)
        smoothing = float(getattr(self.head, "label_smoothing", 0.0))
        return self.loss(found, batch.targets, smoothing).sum(), found.auxiliary

    def evaluate(self, split: str, batch: Batch) -> None:
        recognised = self(batch)
        each = self.loss(recognised, batch.targets)
        said = [[token for token in row if token != IGNORE] for row in batch.targets.tolist()]
        found = self.transcribe(self, recognised.memory)
        kept = [number for number, tokens in enumerate(said) if tokens]
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


def spelled(targets: Tensor, eos: int) -> tuple[Tensor, Tensor]:
    """What a decoder reads of transcripts [batch, longest]: `<eos>` and the tokens, and where they are, [batch, longest + 1]."""
    is_token = F.pad(targets != IGNORE, (1, 0), value=True)
    return F.pad(targets, (1, 0), value=eos).masked_fill(~is_token, eos), is_token.long()


def ended(targets: Tensor, eos: int) -> Tensor:
    """What it then is to write: the tokens and `<eos>`; nothing where there is no transcript, [batch, longest + 1]."""
    lengths = (targets != IGNORE).sum(dim=1, keepdim=True)
    wanted = F.pad(targets, (0, 1), value=IGNORE).scatter(1, lengths, eos)
    return wanted.masked_fill(lengths == 0, IGNORE)


def token_losses(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """-log p of each row's targets, summed [batch], in float32: logits [batch, time, vocab], targets [batch, time]."""
    found = F.cross_entropy(
        logits.flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=IGNORE,
        reduction="none",
        label_smoothing=label_smoothing,
    )
    return found.view_as(targets).sum(dim=1)
