"""What a masked model finds for the hidden places of a text."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lmlab.tokenizer.pieces import holds_blank
from lmlab.tokenizer.trained import Trained
from lmlab.types import IGNORE, MASK, Batch, Mistake


def ids_of(tokenizer: Trained, text: str) -> list[int]:
    """Of a text in which `<mask>` stands for one token each, between two `<eos>`.

    Raises:
        Mistake: where nothing is hidden.
    """
    assert tokenizer.mask is not None, "a masked model's tokenizer has one"
    ids = [tokenizer.eos]
    for part in parts_of(tokenizer, text):
        ids += [*tokenizer.encode(part), tokenizer.mask]
    return [*ids[:-1], tokenizer.eos]


def parts_of(tokenizer: Trained, text: str) -> list[str]:
    """What stands around each `<mask>`; a blank before it is hidden where words begin with it."""
    *parts, last = text.split(MASK)
    if not parts:
        raise Mistake(f"text={text!r} hides nothing; write {MASK} for what is to be found")
    if holds_blank(tokenizer):
        parts = [part.removesuffix(" ") for part in parts]
    return [*parts, last]


@torch.no_grad()
def found(task: Any, inputs: Tensor, document: Tensor | None = None) -> Tensor:
    """Probabilities of the vocabulary at each place [batch, time, vocab], on the CPU.

    Args:
        task: model and head under these names.
    """
    was_training = task.training
    task.eval()
    documents = None if document is None else document.to(task.device)
    logits: Tensor = task.head(task.model(inputs.to(task.device), documents).states).float()
    task.train(was_training)
    return logits.softmax(dim=-1).cpu()


def likeliest(shares: Tensor, tokenizer: Trained, *, num: int) -> list[tuple[str, float]]:
    """The likeliest tokens of one place [vocab] as text, with their probabilities; none that stands for no text."""
    shares = shares.clone()
    shares[sorted(tokenizer.special)] = 0.0
    best = shares.topk(min(num, len(shares) - len(tokenizer.special)))
    return [(word(tokenizer, index), share) for share, index in zip(best.values.tolist(), best.indices.tolist())]


def word(tokenizer: Trained, index: int) -> str:
    """A token as text, without the blank before it; white space as it is written in Python."""
    text = tokenizer.decode([index])
    return text.strip() or repr(text)[1:-1]


def fillings(task: Any, tokenizer: Trained, text: str, *, num: int) -> Iterator[list[tuple[str, float]]]:
    """For each `<mask>` of a text the likeliest tokens."""
    ids = torch.tensor([ids_of(tokenizer, text)])
    shares = found(task, ids)[0]
    for place, index in enumerate(ids[0].tolist()):
        if index == tokenizer.mask:
            yield likeliest(shares[place], tokenizer, num=num)


def filled(task: Any, tokenizer: Trained, batch: Batch, *, length: int) -> list[str]:
    """Each row's first tokens: what was hidden in brackets, where it was not found behind what was taken for it."""
    guesses = found(task, batch.inputs, batch.document).argmax(dim=-1)
    return [
        _shown(tokenizer, *(part[row, :length].tolist() for part in (batch.inputs, batch.targets, guesses)))
        for row in range(len(batch.inputs))
    ]


def _shown(tokenizer: Trained, inputs: Sequence[int], targets: Sequence[int], guesses: Sequence[int]) -> str:
    true = [index if target == IGNORE else target for index, target in zip(inputs, targets)]
    parts: list[str] = []
    said = ""
    for number, (index, target, guess) in enumerate(zip(true, targets, guesses), start=1):
        text = tokenizer.decode(true[:number])
        new = text[len(said) :]
        if target == IGNORE and text.endswith("\ufffd"):  # a character whose bytes are several tokens
            continue
        said = text
        if target == IGNORE:
            parts.append(new or ("\n" if index == tokenizer.eos else ""))
            continue
        shown = word(tokenizer, target) if guess == target else f"{word(tokenizer, guess)} | {word(tokenizer, target)}"
        parts.append(f"{' ' if new[:1] == ' ' else ''}[{shown}]")
    return "".join(parts)
