"""What an encoder with its decoder writes for the gaps of a text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lmlab.command.filling import parts_of
from lmlab.decoding.decode import alternatives
from lmlab.decoding.loop import generate
from lmlab.decoding.options import Options
from lmlab.decoding.sample import chooser
from lmlab.tokenizer.pieces import sentinels
from lmlab.tokenizer.trained import Trained
from lmlab.types import Batch, Mistake

LONGEST = 16
"""Tokens of a gap, on average, that are written at most."""


def filled_gaps(task: Any, tokenizer: Trained, text: str) -> list[str]:
    """For each `<mask>`, which stands for any number of tokens, what is likeliest, token by token."""
    source, num_gaps = source_of(tokenizer, text)
    found = written(task, tokenizer, source, num_gaps=num_gaps)[0]
    return [_spelled(tokenizer, ids) for ids in found]


@torch.no_grad()
def fillings_of_gaps(task: Any, tokenizer: Trained, text: str, options: Options, num: int) -> list[list[str]]:
    """The same by any decoding, as many times as there are to be texts."""
    source, num_gaps = source_of(tokenizer, text)
    found = alternatives(
        task.model,
        task.head,
        torch.full((1, 1), tokenizer.eos, device=task.device),
        num=num,
        eos=tokenizer.eos,
        options=replace(options, max_tokens=min(options.max_tokens, longest(num_gaps))),
        memory=task.model.encode(source.to(task.device)),
    )
    marks = sentinels(tokenizer)[:num_gaps]
    return [[_spelled(tokenizer, ids) for ids in by_gap(one, marks, tokenizer.eos)] for one in found]


def longest(num_gaps: int) -> int:
    """Tokens that are written for so many gaps at most."""
    return (LONGEST + 1) * num_gaps + 1


def _spelled(tokenizer: Trained, ids: list[int]) -> str:
    return " ".join(tokenizer.decode(ids).split())


def source_of(tokenizer: Trained, text: str) -> tuple[Tensor, int]:
    """Ids [1, time] of a text whose gaps are sentinels, and how many gaps it has."""
    marks, parts = sentinels(tokenizer), parts_of(tokenizer, text)
    if len(parts) - 1 > len(marks):
        raise Mistake(f"text has {len(parts) - 1} gaps, and the model knows {len(marks)}; write fewer")
    source = tokenizer.encode(parts[0])
    for mark, part in zip(marks, parts[1:]):
        source += [mark, *tokenizer.encode(part)]
    return torch.tensor([source]), len(parts) - 1


def written(task: Any, tokenizer: Trained, source: Tensor, *, num_gaps: int) -> list[list[list[int]]]:
    """For each row of sources [batch, time] the ids of each gap.

    Args:
        task: model and head under these names.
    """
    was_training = task.training
    task.eval()
    with torch.no_grad():
        drawn = generate(
            task.model,
            task.head,
            torch.full((len(source), 1), tokenizer.eos, device=task.device),
            max_tokens=longest(num_gaps),
            choose=chooser(temperature=0.0),
            context_size=None,
            eos=tokenizer.eos,
            seed=0,
            memory=task.model.encode(source.to(task.device)),
        )
    task.train(was_training)
    return [by_gap(ids, sentinels(tokenizer)[:num_gaps], tokenizer.eos) for ids in drawn.tolist()]


def by_gap(ids: Sequence[int], marks: Sequence[int], eos: int) -> list[list[int]]:
    """What stands behind each sentinel, before the next one or `<eos>`."""
    found: list[list[int]] = [[] for _ in marks]
    current: int | None = None
    for index in ids:
        if index == eos:
            break
        if index in marks:
            current = marks.index(index)
        elif current is not None:
            found[current].append(index)
    return found


def shown(tokenizer: Trained, batch: Batch, task: Any) -> list[str]:
    """Each row's source with what is written for its gaps in brackets, where that is not what stood there behind it."""
    assert batch.source is not None, "a source has the gaps"
    marks = sentinels(tokenizer)
    number = int(torch.isin(batch.source[0], torch.tensor(marks)).sum())
    guesses = written(task, tokenizer, batch.source, num_gaps=number)
    texts = []
    for row, guess in enumerate(guesses):
        true = by_gap(batch.targets[row].tolist()[:-1], marks[:number], -1)
        texts.append(_filled(tokenizer, batch.source[row].tolist(), marks, true, guess))
    return texts


def _filled(
    tokenizer: Trained, source: list[int], marks: Sequence[int], true: list[list[int]], guess: list[list[int]]
) -> str:
    parts: list[str] = []
    seen: list[int] = []
    for index in source:
        if index not in marks:
            seen.append(index)
            continue
        gap = marks.index(index)
        wanted, taken = tokenizer.decode(true[gap]), tokenizer.decode(guess[gap])
        blank = " " if wanted.startswith(" ") else ""
        same = f"[{wanted.strip()}]" if guess[gap] == true[gap] else f"[{taken.strip()} | {wanted.strip()}]"
        parts, seen = [*parts, tokenizer.decode(seen), f"{blank}{same}"], []
    return "".join([*parts, tokenizer.decode(seen)])
