"""Continuations drawn from the model while it trains, so that a reader sees what it has learned."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

Draw = Callable[[Any, str, int, int, float], list[str]]
"""(task, prompt, number, length in tokens, temperature) -> texts."""


class Samples(pl.Callback):
    """Draws `num` samples every `every` steps (0: never) and hands them to `keep(step, texts)`."""

    def __init__(
        self,
        *,
        every: int,
        num: int,
        max_tokens: int,
        temperature: float,
        prompt: str,
        draw: Draw,
        keep: Callable[[int, list[str]], None],
    ) -> None:
        self.every, self.num, self.max_tokens, self.temperature, self.prompt = (
            every,
            num,
            max_tokens,
            temperature,
            prompt,
        )
        self.draw, self.keep = draw, keep

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.every and not pl_module.micro and pl_module.step % self.every == 0:
            self.sample(pl_module)

    def sample(self, pl_module: Any) -> list[str]:
        """Draws and keeps them now."""
        texts = self.draw(pl_module, self.prompt, self.num, self.max_tokens, self.temperature)
        self.keep(pl_module.step, texts)
        return texts
