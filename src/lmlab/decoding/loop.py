"""One token after the other from any model that has a state: the prompt in one pass, then constant work per token.

Token i of a text is drawn with random numbers of the counter (seed, i) (Salmon et al. 2011), so that the same text
comes out streamed or not, on any device, whatever else draws random numbers meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmlab.decoding.feed import Feed, Head
from lmlab.decoding.sample import Chooser
from lmlab.types import Memory, SequenceModel


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
    document: Int[Tensor, "batch time"] | None = None,
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
        document=document,
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
    document: Int[Tensor, "batch time"] | None = None,
) -> Iterator[Int[Tensor, " batch"]]:
    """One token per row at a time, until every row has written `eos`; a row that has goes on with it, at no cost.

    A greedy row is the same alone and in any batch; of rows that are drawn the first is, since each has its own numbers.

    Args:
        model: In eval mode; `memory` is handed to it with every call.
        prompt_ids: At least one token (a text from nothing begins with `<eos>`); shorter prompts are padded on the left.
        choose: From `lmlab.decoding.sample`.
        context_size: Tokens that the model's state may hold: when it is full, the newest half is encoded anew.
            None for a model whose state does not grow (recurrent) or has no end.
        eos: Ends a row; None: rows go on to `max_tokens`.
        document: 0 where a prompt is padded, 1 where it is text; None: all prompts are equally long.
    """
    feed = Feed(
        model, head, prompt_ids, document, memory=memory, context_size=context_size, max_tokens=max_tokens
    )  # fmt: skip
    batch, device = len(prompt_ids), prompt_ids.device
    rows = torch.arange(batch, device=device)  # those that go on
    for index in range(max_tokens):
        logits = feed.logits()
        token = choose(logits, feed.ids, uniform(seed, index, batch).to(device)[rows])
        if eos is None:
            yield token
        else:
            yield token.new_full((batch,), eos).index_copy(0, rows, token)
            kept = (token != eos).nonzero()[:, 0]
            if len(kept) == 0:
                return
            if len(kept) < len(rows):
                rows, token = rows[kept], token[kept]
                feed.choose(kept)
        feed.append(token)


def uniform(seed: int, index: int, batch: int) -> Float[Tensor, " {batch}"]:
    """Random numbers in [0, 1) for token `index`: a function of its arguments, and row r's is the same in any batch."""
    counter = np.random.Philox(key=seed, counter=[0, index, 0, 0])
    # float32 below 1: 24 bits, as many as it holds
    return torch.from_numpy((counter.random_raw(batch) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24))
