"""One line that says how far the run is: live on a terminal, a plain log line now and then where there is none."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

log = logging.getLogger(__name__)

NEVER = math.inf


class Progress(pl.Callback):
    """Reads three attributes of the LightningModule, figures only when it writes, so that no step waits for a device.

    - `step`: int, the steps done so far, over all starts of the run;
    - `total_steps`: int, or None where the run's length is not known in steps;
    - `latest`: floats or scalar tensors by name; `loss`, `val/loss` and `tokens_per_second` are shown where they are.

    Args:
        refresh_seconds: Between two updates on a terminal.
        line_seconds: Between two plain lines; one more at each tenth of the run.
    """

    def __init__(
        self, *, refresh_seconds: float = 0.2, line_seconds: float = 10.0, console: Console | None = None
    ) -> None:
        self.console = Console(stderr=True) if console is None else console
        self.interval = refresh_seconds if self.console.is_interactive else line_seconds
        self.live: Live | None = None
        self.origin: tuple[float, int] | None = None
        self.next_time = self.next_step = NEVER
        self.shown_step = -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.origin, self.shown_step = None, -1
        if not trainer.is_global_zero:
            self.next_time = self.next_step = NEVER
            return
        if self.console.is_interactive:
            self.live = Live(console=self.console, auto_refresh=False)
            self.live.start()
            self._show(pl_module)
        self._plan(pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        now, step = time.monotonic(), pl_module.step
        if self.origin is None and step:
            self.origin = (now, step)  # the first step, which may compile, is not in the pace
        if now >= self.next_time or step >= self.next_step:
            self._show(pl_module)
            self._plan(pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.live is not None:
            self._show(pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.next_time != NEVER and (self.live is not None or pl_module.step != self.shown_step):
            self._show(pl_module)
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        self._stop()

    def _plan(self, pl_module: Any) -> None:
        """When the next line is due; on a terminal by time alone."""
        self.next_time = time.monotonic() + self.interval
        total = pl_module.total_steps
        tenths = 0 if total is None or self.live is not None else pl_module.step * 10 // total + 1
        self.next_step = math.ceil(tenths * total / 10) if tenths else NEVER

    def _show(self, pl_module: Any) -> None:
        step, total = self.shown_step, _ = pl_module.step, pl_module.total_steps
        words = figures(step, total, pl_module.latest, seconds_left(step, total, self.origin, time.monotonic()))
        if self.live is None:
            log.info("%s", "  ".join(words))
            return
        line = Table.grid(padding=(0, 1))
        text = Text("  ".join(words), no_wrap=True, overflow="ellipsis")
        line.add_row(*([] if total is None else [ProgressBar(total=total, completed=step, width=20)]), text)
        self.live.update(line, refresh=True)

    def _stop(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None


def figures(step: int, total: int | None, latest: Mapping[str, Any], left: float | None) -> list[str]:
    """The words of the line: step 1,200/5,000, 24%, loss 3.412, val 3.501, 41.2k tokens/s, 2:31 left."""
    words = [f"step {step:,}"] if total is None else [f"step {step:,}/{total:,}", f"{step / total:.0%}"]
    words += [
        f"{word} {float(latest[name]):.3f}" for name, word in (("loss", "loss"), ("val/loss", "val")) if name in latest
    ]
    if "tokens_per_second" in latest:
        words.append(f"{shortened(float(latest['tokens_per_second']))} tokens/s")
    if left is not None:
        words.append(f"{clock(left)} left")
    return words


def seconds_left(step: int, total: int | None, origin: tuple[float, int] | None, now: float) -> float | None:
    """What the remaining steps take at the pace since `origin` (time, step), validations included; None: unknown."""
    if total is None or origin is None or step <= origin[1] or step >= total:
        return None
    return (now - origin[0]) / (step - origin[1]) * (total - step)


def shortened(number: float) -> str:
    """987, 41.2k, 3.05M: three digits."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.0f}"


def clock(seconds: float) -> str:
    """0:07, 2:31, 3:05:00"""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
