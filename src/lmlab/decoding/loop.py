"""One token after the other from any model that has a state: the prompt in one pass, then constant work per token.

Token i of a text is drawn with random numbers of the counter (seed, i) (Salmon et al. 2011), so that the same text
comes out streamed or not, on any device, whatever else draws random numbers meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.decoding.sample import Chooser
from lmlab.types import Memory, Mistake, SequenceModel

Head = Callable[[Tensor], Tensor]
"""States [batch, time, dim] -> logits [batch, time, vocab]."""


def generate(
    model: SequenceModel,
    head: Head,
    prompt_ids: Int[Tensor, "batch time"],
    *,
    max_tokens: int,
    choose: Chooser,
    context_size: int | None,
    eos: int | None,
    seed: int,
    memory: Memory | None = None,
) -> Int[Tensor, "batch new"]:
    """All tokens of `stream` at once: at most `max_tokens` new ones, without the prompt."""
    tokens = stream(
        model,
        head,
        prompt_ids,
        max_tokens=max_tokens,
        choose=choose,
        context_size=context_size,
        eos=eos,
        seed=seed,
        memory=memory,
    )
    return torch.stack([prompt_ids.new_zeros(len(prompt_ids)), *tokens], dim=1)[:, 1:]


@torch.inference_mode()
def stream(
    model: SequenceModel,
    head: Head,
    prompt_ids: Int[Tensor, "batch time"],
    *,
    max_tokens: int,
    choose: Chooser,
    context_size: int | None,
    eos: int | None,
    seed: int,
    memory: Memory | None = None,
) -> Iterator[Int[Tensor, " batch"]]:
    """One token per row at a time, until every row has written `eos`; a row that has goes on with it.

    Args:
        model: In eval mode; `memory` is handed to it as it is, with every call.
        prompt_ids: At least one token (a text from nothing begins with `<eos>`), the same number in every row.
        choose: From `lmlab.decoding.sample`.
        context_size: Tokens that the model's state may hold: when it is full, the newest half is encoded anew.
            None for a model whose state does not grow (recurrent) or has no end.
        eos: Ends a row; None: rows go on to `max_tokens`.
    """
    window, length = _opening(prompt_ids, context_size)
    batch, start = prompt_ids.shape
    ids = torch.cat([prompt_ids, prompt_ids.new_zeros(batch, max_tokens)], dim=1)
    finished = torch.zeros(batch, dtype=torch.bool, device=ids.device)
    output = model(window, memory=memory)
    for index in range(max_tokens):
        end = start + index
        logits = head(output.states[:, -1:])[:, 0]  # [batch, vocab]
        token = choose(logits, ids[:, :end], uniform(seed, index, batch).to(logits.device))
        if eos is not None:
            token = token.masked_fill(finished, eos)
            finished |= token == eos
        ids[:, end] = token
        yield token
        if index + 1 == max_tokens or (eos is not None and bool(finished.all())):
            return
        if length == context_size:
            window, length = _opening(ids[:, : end + 1], max(1, context_size // 2))
            output = model(window, memory=memory)
        else:
            output = model(token[:, None], memory=memory, state=output.state)
            length += 1


def uniform(seed: int, index: int, batch: int) -> Float[Tensor, " {batch}"]:
    """Random numbers in [0, 1) for token `index`: a function of its arguments, and row r's is the same in any batch."""
    counter = np.random.Philox(key=seed, counter=[0, index, 0, 0])
    # float32 below 1: 24 bits, as many as it holds
    return torch.from_numpy((counter.random_raw(batch) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24))


def _opening(ids: Tensor, size: int | None) -> tuple[Tensor, int]:
    """The newest tokens that fit, and how many they are."""
    if ids.shape[1] == 0:
        raise Mistake("the prompt is empty; set prompt to some text")
    window = ids if size is None else ids[:, -size:]
    return window, window.shape[1]
