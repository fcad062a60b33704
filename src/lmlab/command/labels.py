"""What a trained classifier takes texts for."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lmlab.types import Batch


@torch.no_grad()
def probabilities(task: Any, batch: Batch, *, multi_label: bool) -> Tensor:
    """Of each class [batch, classes], on the CPU; where several labels may hold each has its own.

    Args:
        task: model and head under these names.
    """
    assert batch.document is not None, "rows are padded"
    inputs, document = batch.inputs.to(task.device), batch.document.to(task.device)
    was_training = task.training
    task.eval()
    logits = task.head(task.model(inputs, document).states, document > 0).float()
    task.train(was_training)
    found: Tensor = (logits.sigmoid() if multi_label else logits.softmax(dim=-1)).cpu()
    return found


def best(shares: Tensor, labels: Sequence[str], *, num: int) -> list[tuple[str, float]]:
    """The likeliest labels of one example [classes], with their probabilities."""
    found = shares.topk(min(num, len(labels)))
    return [(labels[index], share) for share, index in zip(found.values.tolist(), found.indices.tolist())]
