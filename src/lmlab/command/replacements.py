"""What a detector of replaced tokens takes for replaced in a text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lmlab.command.filling import word
from lmlab.tokenizer.trained import Trained
from lmlab.types import IGNORE, Batch

SURE = 0.5
"""Probability from which a token is shown as one that was taken for replaced."""


@torch.no_grad()
def shares(task: Any, ids: Tensor) -> Tensor:
    """Ids [batch, time] -> the probability that each was replaced, on the CPU.

    Args:
        task: model and head under these names.
    """
    was_training = task.training
    task.eval()
    found: Tensor = task.head(task.model(ids.to(task.device)).states).float().sigmoid()
    task.train(was_training)
    return found.cpu()


def suspected(task: Any, tokenizer: Trained, text: str) -> list[tuple[str, float]]:
    """The tokens of a text, each with the probability that it was replaced."""
    ids = tokenizer.encode(text)
    found = shares(task, torch.tensor([[tokenizer.eos, *ids, tokenizer.eos]]))[0, 1:-1]
    return [(word(tokenizer, index), share) for index, share in zip(ids, found.tolist())]


@torch.no_grad()
def shown(task: Any, tokenizer: Trained, batch: Batch, *, length: int) -> str:
    """The first row's first tokens: what was replaced as [new | old], what is taken for replaced with the probability behind."""
    assert batch.place is not None, "evaluation says where its targets stand"
    one = replace(batch, inputs=batch.inputs[:1], targets=batch.targets[:1], place=batch.place[:1])
    one.document = None if batch.document is None else batch.document[:1]
    was_training = task.training
    task.eval()
    found = task.on_held_out(task.transfer_batch_to_device(one, task.device, 0))
    task.train(was_training)
    text = torch.where(one.targets == IGNORE, one.inputs, one.targets)[0].tolist()
    rows = zip(text, found.filled[0].tolist(), found.scores[0].sigmoid().tolist())
    return "".join(_shown(tokenizer, *row) for row in list(rows)[:length])


def _shown(tokenizer: Trained, old: int, new: int, share: float) -> str:
    text = tokenizer.decode([new]) or ("\n" if new == tokenizer.eos else "")
    blank = " " if text[:1] == " " else ""
    if new != old:
        text = f"{blank}[{word(tokenizer, new)} | {word(tokenizer, old)}]"
    return f"{text}({share:.0%})" if share > SURE else text
