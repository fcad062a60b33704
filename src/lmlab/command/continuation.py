"""A prompt's continuation as text, token by token or several at once, from a model with its tokenizer."""

from collections.abc import Iterator
from typing import Any

import torch

from lmlab.decoding.loop import generate, stream
from lmlab.decoding.sample import Chooser, chooser
from lmlab.types import Tokenizer


def streamed(
    task: Any, tokenizer: Tokenizer, prompt: str, choose: Chooser, max_tokens: int, seed: int, context: int
) -> Iterator[str]:
    """The continuation, piece by piece; a character whose bytes are several tokens comes when it is whole."""
    ids = torch.tensor([[tokenizer.eos, *tokenizer.encode(prompt)]], device=task.device)
    written, said = ids[0].tolist()[1:], prompt
    said = tokenizer.decode(written)
    tokens = stream(
        task.model,
        task.head,
        ids,
        max_tokens=max_tokens,
        choose=choose,
        context_size=context if task.model.state_grows else None,
        eos=tokenizer.eos,
        seed=seed,
    )
    for token in tokens:
        if int(token) == tokenizer.eos:
            break
        written.append(int(token))
        text = tokenizer.decode(written)
        if text.startswith(said) and not text.endswith("\ufffd"):
            yield text[len(said) :]
            said = text


def continuations(
    task: Any,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    num: int,
    max_tokens: int,
    temperature: float,
    seed: int,
    context_size: int,
) -> list[str]:
    """Several continuations of one prompt at once, the prompt before each."""
    if num == 0:
        return []
    was_training = task.training
    task.eval()
    start = torch.tensor([[tokenizer.eos, *tokenizer.encode(prompt)]], device=task.device)
    drawn = generate(
        task.model,
        task.head,
        start.repeat(num, 1),
        max_tokens=max_tokens,
        choose=chooser(temperature=temperature),
        context_size=context_size if task.model.state_grows else None,
        eos=tokenizer.eos,
        seed=seed,
    )
    task.train(was_training)
    return [tokenizer.decode([*start[0].tolist()[1:], *until(row, tokenizer.eos)]) for row in drawn.tolist()]


def until(ids: list[int], end: int) -> list[int]:
    """The ids before the first `end`."""
    return ids[: ids.index(end)] if end in ids else ids
