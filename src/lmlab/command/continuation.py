"""A prompt's continuation as text, token by token or several at once, from a model with its tokenizer."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from lmlab.decoding.beam import search
from lmlab.decoding.decode import until
from lmlab.decoding.loop import generate, stream
from lmlab.decoding.options import Options
from lmlab.decoding.sample import chooser
from lmlab.types import Tokenizer


def streamed(
    task: Any, tokenizer: Tokenizer, ids: Int[Tensor, "1 time"], options: Options, context: int
) -> Iterator[str]:
    """The continuation, piece by piece; a character whose bytes are several tokens comes when it is whole."""
    written = ids[0].tolist()[1:]
    said = tokenizer.decode(written)
    tokens = stream(
        task.model,
        task.head,
        ids,
        max_tokens=options.max_tokens,
        choose=options.chooser(eos=tokenizer.eos),
        context_size=context if task.model.state_grows else None,
        eos=tokenizer.eos,
        seed=options.seed,
    )
    for token in tokens:
        if int(token) == tokenizer.eos:
            break
        written.append(int(token))
        text = tokenizer.decode(written)
        if text.startswith(said) and not text.endswith("\ufffd"):
            yield text[len(said) :]
            said = text


def best(
    task: Any, tokenizer: Tokenizer, ids: Int[Tensor, "1 time"], options: Options, num: int, context: int
) -> list[str]:
    """The best continuations that a beam search finds, at most `num` of them."""
    (found,) = search(
        task.model,
        task.head,
        ids,
        num_beams=options.num_beams,
        num_best=num,
        max_tokens=options.max_tokens,
        length_penalty=options.length_penalty or 0.0,
        no_repeat_ngram=options.no_repeat_ngram,
        context_size=context if task.model.state_grows else None,
        eos=tokenizer.eos,
    )
    before = ids[0].tolist()[1:]
    said = tokenizer.decode(before)
    return [tokenizer.decode([*before, *one.ids]).removeprefix(said) for one in found]


def opening(task: Any, tokenizer: Tokenizer, prompt: str) -> Int[Tensor, "1 time"]:
    """The prompt's ids behind `<eos>`, as every document begins."""
    return torch.tensor([[tokenizer.eos, *tokenizer.encode(prompt)]], device=task.device)


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
    start = opening(task, tokenizer, prompt)
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
