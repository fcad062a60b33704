"""What a token costs at different lengths: of a training step, and of one generated token behind a context.

Usage: python scripts/bench/length.py [MODEL ...]   (default: mamba2 delta_net linear_attention lstm transformer)

Prints, for each model, seconds per token of training at 256 to 2048 relative to 256 (a cost that is linear in length
keeps at 1), and of a generated token at contexts of 64 to 1024 relative to 64. A step has 2 rows, a text that is
generated 1. Lengths take turns within a round, and the medians over the rounds are compared. One thread, the default precision.
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from omegaconf import DictConfig
from torch.nn import functional as F

from lmlab import config as configuration
from lmlab.command.allocator import keep_freed_memory
from lmlab.command.experiment import build_model, precision
from lmlab.decoding.loop import stream
from lmlab.decoding.sample import greedy
from lmlab.types import Mistake

MODELS = {
    "mamba2": ["model=mamba2"],
    "delta_net": ["model=delta_net"],
    "linear_attention": ["model=transformer", "model/attention=linear"],
    "lstm": ["model=lstm"],
    "transformer": ["model=transformer"],
}
VOCAB, ROWS = 512, 2
LENGTHS = (256, 512, 1024, 2048)
CONTEXTS = (64, 256, 1024)
NEW = 32
"""Tokens that are generated behind each context."""

ROUNDS = 5


def main() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()  # as training does
    for name in sys.argv[1:] or list(MODELS):
        try:
            config = configuration.compose([*MODELS.get(name, [f"model={name}"]), "batch.seq_len=2048"])
        except Mistake as mistake:  # a choice that is not there
            print(f"{name}: {mistake}")
            continue
        model, head = build_model(config, VOCAB)
        print(f"{name:<17}", line("training", trained(config, model, head)), flush=True)
        print(f"{'':<17}", line("decoding", generated(model.eval(), head)), flush=True)


def line(what: str, seconds: dict[int, float]) -> str:
    """The first in microseconds, all relative to it."""
    first, *_ = seconds.values()
    ratios = "  ".join(f"{length}: {value / first:.2f}" for length, value in seconds.items())
    return f"{what} {1e6 * first:8.1f} us/token   {ratios}"


def trained(config: DictConfig, model: Any, head: Any) -> dict[int, float]:
    """Seconds per token of forward, backward and AdamW, by length."""
    parameters = list(dict.fromkeys([*model.parameters(), *head.parameters()]))
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    mixed = precision("auto", "cpu", model.dim) == "bf16-mixed"

    def step(length: int) -> float:
        ids = torch.randint(VOCAB, (ROWS, length))
        begin = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logits = head(model(ids).states)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits.flatten(0, 1).float(), ids.flatten()).backward()
        optimizer.step()
        return (time.perf_counter() - begin) / (ROWS * length)

    model.train()
    return medians(step, LENGTHS)


def generated(model: Any, head: Any) -> dict[int, float]:
    """Seconds per new token, the reading of the context left out, by length of the context."""

    def tokens(context: int) -> float:
        prompt = torch.randint(VOCAB, (1, context))
        new = stream(
            model, head, prompt, max_tokens=NEW + 1, choose=greedy(), context_size=None, eos=None, seed=0
        )  # fmt: skip
        next(new)  # reads the context
        begin = time.perf_counter()
        for _ in new:
            pass
        return (time.perf_counter() - begin) / NEW

    return medians(tokens, CONTEXTS)


def medians(measured: Callable[[int], float], lengths: tuple[int, ...]) -> dict[int, float]:
    """Each length once to warm up, then in turns."""
    found: dict[int, list[float]] = {length: [] for length in lengths}
    for round_ in range(ROUNDS + 1):
        for length in lengths:
            seconds = measured(length)
            if round_:
                found[length].append(seconds)
    return {length: statistics.median(values) for length, values in found.items()}


if __name__ == "__main__":
    main()
