"""Images and captions: minimise the loss of finding each among those of the batch, or -log p(caption | image)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab.examples import Captioned
from lmlab.task.gather import of_all_ranks
from lmlab.task.language_modeling import losses, summed_loss
from lmlab.task.task import Plan, Task
from lmlab.types import IGNORE, Batch, Output, SequenceModel


@runtime_checkable
class Pairing(Protocol):
    """A head that compares: logits are products of the vectors of both sides."""

    def images(self, states: Tensor) -> Tensor:
        """States [batch, patches, dim] -> [batch, width]."""

    def texts(self, ids: Tensor, document: Tensor | None) -> tuple[Tensor, Output]:
        """Ids and document [batch, time] -> [batch, width], and what the encoder returned."""

    def directed(self, logits: Tensor, belongs: Tensor) -> Tensor:
        """The loss of each query [query], given which candidates belong to it [query, candidates]."""


class ImageText(Task):
    """Wraps a model of images, and a head that has a model of texts.

    A contrastive head compares each image with the captions of the whole step, those of the other ranks among them, and each
    caption with its images. A caption is right for an image if it is any of the captions of that image.

    Args:
        model: images -> states.
        head: a Pairing, or a decoder that takes (states, ids, document).
        metric: makes the metric of a split; a Pairing's is updated by (vectors of images, the numbers of their captions,
            vectors of captions, their numbers), another's by (losses of the targets, what was written, places in the split).
        plan: see Task.
        write: what the head writes for each image: (task, batch) -> ids without `<eos>`.
    """

    example = Captioned
    causal = False

    def __init__(
        self,
        *,
        model: nn.Module,
        head: nn.Module,
        metric: Callable[[str], Metric],
        plan: Plan,
        write: Callable[[Any, Batch], list[list[int]]],
    ) -> None:
        pictured: Any = model
        checked: SequenceModel = pictured
        super().__init__(model=checked, head=head, metric=metric, plan=plan)
        self.write = write

    def objective(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        output = self.model(batch.source)  # type: ignore[arg-type]
        if not isinstance(self.head, Pairing):
            logits, written = self.head(output.states, batch.inputs, batch.document)
            return summed_loss(logits, batch.targets, 0.0), joined(output, written)
        images = self.head.images(output.states)
        texts, read = self.head.texts(batch.inputs, batch.document)
        is_pair = batch.targets[:, 0] != IGNORE
        return pair_losses(self.head, images[is_pair], texts[is_pair], batch.targets[is_pair]).sum(), joined(
            output, read
        )

    def evaluate(self, split: str, batch: Batch) -> None:
        states = self.model(batch.source).states  # type: ignore[arg-type]
        if isinstance(self.head, Pairing):
            images, (texts, _) = self.head.images(states), self.head.texts(batch.inputs, batch.document)
            is_number = batch.targets != IGNORE
            is_known = is_number.any(dim=1)
            numbers = batch.targets[is_number]
            self.metrics[split].update(images[is_known], batch.targets[is_known], texts[: len(numbers)], numbers)
            return
        logits, _ = self.head(states, batch.inputs, batch.document)
        is_target = batch.targets != IGNORE
        is_example = bool(is_target.any())  # a rank that has none left still goes along
        places = batch.place if batch.place is not None and is_example else batch.targets.new_empty(0)
        found = losses(logits, batch.targets)[is_target]
        self.metrics[split].update(found, self.write(self, batch) if is_example else [], places)


def pair_losses(head: Pairing, images: Tensor, texts: Tensor, numbers: Tensor) -> Tensor:
    """The loss of each of this rank's pairs [pair]: the mean of that of its image and that of its caption.

    Args:
        images, texts: vectors [pair, width], of which products are logits.
        numbers: of all captions of each image [pair, captions], IGNORE behind them, that of its text first.
    """
    width = images.shape[1]
    whole, known = of_all_ranks(torch.cat([images, texts], dim=1)), of_all_ranks(numbers)
    with torch.autocast(images.device.type, enabled=False):
        by_image, by_text = images.float() @ whole[:, width:].T, texts.float() @ whole[:, :width].T
    image_loss = head.directed(by_image, belong(numbers, known[:, 0]))
    text_loss = head.directed(by_text, belong(known, numbers[:, 0]).T)
    return (image_loss + text_loss) / 2


def belong(numbers: Tensor, captions: Tensor) -> Tensor:
    """Whether each caption [caption] is one of those of each image [image, captions]: [image, caption]."""
    return (numbers[:, :, None] == captions).any(dim=1)


def joined(image: Output, text: Output) -> dict[str, Tensor]:
    """The auxiliary losses of both sides."""
    return {**{f"image_{name}": loss for name, loss in image.extras.losses.items()}, **text.extras.losses}
