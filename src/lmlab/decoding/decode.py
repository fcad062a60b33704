"""Prompts, or sources, to answers: what every task that writes text calls.

decode(model, head, *left_padded(prompts), eos=eos, options=options)                            # a decoder
decode(model, head, starts, eos=eos, options=options, memory=model.encode(source, document))    # an encoder and a decoder
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from lmlab.decoding.beam import Rescore, search
from lmlab.decoding.feed import Head
from lmlab.decoding.loop import generate
from lmlab.decoding.options import Options
from lmlab.types import Memory, Mistake, SequenceModel


def decode(
    model: SequenceModel,
    head: Head,
    prompt_ids: Int[Tensor, "batch time"],
    document: Int[Tensor, "batch time"] | None = None,
    *,
    eos: int,
    options: Options,
    memory: Memory | None = None,
    context_size: int | None = None,
) -> list[list[int]]:
    """For each row what is written behind its prompt, without `<eos>`; the arguments are those of `stream`.

    N-grams that may not be repeated are those of the answer alone.
    """
    begin = prompt_ids.shape[1]
    if options.num_beams > 1:
        found = search(
            model,
            head,
            prompt_ids,
            num_beams=options.num_beams,
            max_tokens=options.max_tokens,
            eos=eos,
            length_penalty=options.length_penalty or 0.0,
            no_repeat_ngram=options.no_repeat_ngram,
            counts_prompt=False,
            context_size=context_size,
            memory=memory,
            document=document,
        )
        return [best[0].ids for best in found]
    new = generate(
        model,
        head,
        prompt_ids,
        max_tokens=options.max_tokens,
        choose=options.chooser(eos=eos, begin=begin),
        context_size=context_size,
        eos=eos,
        seed=options.seed,
        memory=memory,
        document=document,
    )
    return [until(row, eos) for row in new.tolist()]


def alternatives(
    model: SequenceModel,
    head: Head,
    prompt_ids: Int[Tensor, "1 time"],
    *,
    num: int,
    eos: int,
    options: Options,
    memory: Memory | None = None,
    rescored: Rescore | None = None,
) -> list[list[int]]:
    """Several texts behind one prompt: of a search the best, the best first; else each of a seed of its own.

    Args:
        rescored: see `lmlab.decoding.beam.search`, which then also is what one beam is for.
    """
    if options.num_beams == 1 and rescored is None:
        each = [replace(options, seed=options.seed + number) for number in range(num)]
        return [decode(model, head, prompt_ids, eos=eos, options=one, memory=memory)[0] for one in each]
    (found,) = search(
        model,
        head,
        prompt_ids,
        num_beams=options.num_beams,
        num_best=num,
        max_tokens=options.max_tokens,
        eos=eos,
        length_penalty=options.length_penalty or 0.0,
        no_repeat_ngram=options.no_repeat_ngram,
        counts_prompt=False,
        memory=memory,
        rescored=rescored,
    )
    return [one.ids for one in found]


def until(ids: list[int], end: int) -> list[int]:
    """The ids before the first `end`."""
    return ids[: ids.index(end)] if end in ids else ids


def left_padded(
    prompts: Sequence[Sequence[int]], device: torch.device | str = "cpu"
) -> tuple[Int[Tensor, "batch time"], Int[Tensor, "batch time"]]:
    """Prompts of any lengths as ids and their document: 0 for padding before a text, 1 for text."""
    if not all(prompts):
        raise Mistake("a prompt is empty; begin it with <eos>, or set prompt to some text")
    size = max(map(len, prompts))
    ids = torch.tensor([[*[0] * (size - len(prompt)), *prompt] for prompt in prompts], device=device)
    document = torch.tensor([[*[0] * (size - len(prompt)), *[1] * len(prompt)] for prompt in prompts], device=device)
    return ids, document
