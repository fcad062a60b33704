"""What a sweep looks like while it runs: jobs by state, the best so far, time left; on a terminal live, else a line a job."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table as Grid

from lmlab.launcher.table import STATES, Row

log = logging.getLogger(__name__)

PAGE_SECONDS = 20.0
"""At most so often the sweep's page is written anew; it reloads itself."""


class View:
    """Shows the table; `running` maps a job's number to what it says of itself (its newest step)."""

    def __init__(
        self,
        name: str,
        metric: str,
        direction: str,
        write_page: Callable[[], None],
        console: Console | None = None,
    ) -> None:
        self.name, self.metric, self.direction = name, metric, direction
        self.write_page, self.page_time = write_page, 0.0
        self.console = Console(stderr=True) if console is None else console
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_interactive else None
        self.start, self.ended = time.monotonic(), 0

    def __enter__(self) -> View:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self, rows: Sequence[Row], running: Mapping[int, str], total: int | None = None) -> None:
        """One picture; nothing where there is no terminal."""
        if self.live is None:
            return
        grid = Grid.grid(padding=(0, 2))
        grid.add_row(f"sweep {self.name}", self.summary(rows, total))
        for row in rows:
            if row.number in running:
                grid.add_row(f"  {row.number}", f"{row.label()}  {running[row.number]}")
        self.live.update(grid, refresh=True)

    def summary(self, rows: Sequence[Row], total: int | None = None) -> str:
        """Jobs by state, the best so far and the time left, on one line."""
        counts = Counter(row.state for row in rows)
        parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
        best = self.best(rows)
        if best is not None:
            parts.append(f"best {self.metric} {best.value:.4g} ({best.label()})")
        left = (total or len(rows)) - counts["done"] - counts["failed"] - counts["pruned"]
        if self.ended and left:
            seconds = (time.monotonic() - self.start) / self.ended * left
            parts.append(f"{int(seconds) // 60}:{int(seconds) % 60:02d} left")
        return ", ".join(parts)

    def best(self, rows: Sequence[Row]) -> Row | None:
        """The done job with the best figure."""
        done = [row for row in rows if row.state == "done" and row.value is not None and row.value == row.value]
        sign = 1 if self.direction == "minimize" else -1
        return min(done, key=lambda row: sign * (row.value or 0.0), default=None)

    def ended_one(self, row: Row, rows: Sequence[Row], tail: Sequence[str], total: int | None) -> None:
        """A job has ended: a line for it, and the last lines of its log where it failed."""
        self.ended += 1
        figure = f"  {self.metric} {row.value:.4g}" if row.value is not None else ""
        reason = f": {row.message}" if row.state == "failed" else ""
        self._say(f"job {row.number} {row.state}  {row.label()}{figure}{reason}", row.state == "failed")
        for line in tail:
            self._say(f"    {line}", True)
        if self.live is None:
            self._say(self.summary(rows, total))
        if time.monotonic() - self.page_time > PAGE_SECONDS:
            self.write_page()
            self.page_time = time.monotonic()

    def _say(self, text: str, is_error: bool = False) -> None:
        if self.live is not None:
            self.live.console.print(text, style="red" if is_error else None, markup=False, highlight=False)
        else:
            log.log(logging.ERROR if is_error else logging.INFO, "%s", text)
