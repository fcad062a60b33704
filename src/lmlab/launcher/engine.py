"""Runs the queued jobs of a table, as many at once as there are slots; a slot that frees takes the next job at once.

What has become of a job is read from its run folder, not from an exit code. The table is written by this process alone,
so a kill at any moment loses nothing: whoever starts the sweep again finds out from the folders what was done.
"""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

from lmlab.launcher import job, warm
from lmlab.launcher.feed import Feed
from lmlab.launcher.files import config_path, last_lines, log_path
from lmlab.launcher.live import View
from lmlab.launcher.slots import Slot
from lmlab.launcher.table import Row, Table
from lmlab.run.folder import RunFolder
from lmlab.run.store import find_by_identity
from lmlab.types import Interrupted

POLL = 0.2
"""Seconds between two looks at what the jobs write."""

TAIL = 12
"""Lines of a failed job's log that are shown."""

ORPHANS = 60.0
"""Seconds to wait for the jobs of a killed sweep to end; they are killed with it, so this is for a slow machine."""


@dataclass
class Running:
    """One job under way."""

    row: Row
    slot: Slot
    process: BaseProcess
    start: float
    run: RunFolder | None = None
    offset: int = 0
    said: str = "starting"
    is_pruned: bool = False
    is_late: bool = False
    told: int = 0
    """How many signals were passed on to it."""
    lines: list[Mapping[str, Any]] = field(default_factory=list)


class Engine:
    """The loop of a sweep.

    Args:
        folder: of the sweep; its jobs' runs are made in it.
        table: of the sweep.
        slots: places for jobs.
        metric: the figure of a run that becomes its job's value.
        timeout: seconds that one start of a job may take; None: any time.
        feed: where further jobs come from.
        view: shows it.
    """

    def __init__(
        self,
        *,
        folder: Path,
        table: Table,
        slots: Sequence[Slot],
        metric: str,
        timeout: float | None,
        feed: Feed,
        view: View,
    ) -> None:
        self.folder, self.table, self.metric, self.timeout = folder, table, metric, timeout
        self.feed, self.view = feed, view
        self.slots, self.free = slots, list(slots)
        self.running: list[Running] = []
        self.signals = 0

    def run(self) -> None:
        """Until no job is left; Interrupted where a signal asked to stop."""
        self._recover()
        with self._listening():
            try:
                while (not self.signals and self._fill()) or self.running:
                    self._wait()
                    self._look()
            finally:
                for one in self.running:
                    warm.kill(one.process)
        if self.signals:
            raise Interrupted("the sweep is stopped and its jobs are saved; the same command goes on")

    # Before.

    def _recover(self) -> None:
        """What a killed sweep left as running is done, or to be continued; what failed is tried again."""
        for row in self.table.rows():
            if row.state in ("running", "failed"):
                self._wait_for_orphan(row)
            if row.state != "pruned":
                run = find_by_identity(self.folder, row.identity)
                if run is not None and run.summary.get("status") == "finished":
                    if row.state != "done":
                        self._set_done(row, run)
                else:  # also a done job whose folder was deleted
                    self.table.change(row.number, state="queued", message="", value=None)

    def _wait_for_orphan(self, row: Row) -> None:
        end = time.monotonic() + ORPHANS
        run = find_by_identity(self.folder, row.identity)
        while run is not None and run.holder is not None:
            if time.monotonic() > end:
                raise Interrupted(f"{run.path} is running on {run.holder}; stop that process, then the same command")
            time.sleep(POLL)

    # Starting.

    def _fill(self) -> bool:
        """Gives free slots their next jobs; whether there are jobs under way."""
        if self.free:
            queued = self.table.rows("queued")
            if len(queued) < len(self.free):
                self.feed.more(len(self.free) - len(queued))
                queued = self.table.rows("queued")
            for row in queued[: len(self.free)]:
                self._start(row, self.free.pop(0))
        return bool(self.running)

    def _start(self, row: Row, slot: Slot) -> None:
        self.table.change(row.number, state="running", attempts=row.attempts + 1)
        devices = ",".join(slot.devices) if slot.devices else None
        arguments = (str(config_path(self.folder, row)), list(row.overrides), str(log_path(self.folder, row)))
        process = warm.start(job.run, *arguments, devices, slot.cores)
        self.running.append(Running(row, slot, process, time.monotonic()))

    # Meanwhile.

    def _wait(self) -> None:
        connection.wait([one.process.sentinel for one in self.running], timeout=POLL)
        for one in list(self.running):
            if not one.process.is_alive():
                self.running.remove(one)
                self.free.append(one.slot)
                self._end(one)

    def _look(self) -> None:
        for one in self.running:
            if one.told < self.signals:
                one.told = self.signals
                warm.kill(one.process, signal.SIGTERM if self.signals == 1 else signal.SIGKILL)
            self._read(one)
            if self.timeout is not None and time.monotonic() - one.start > self.timeout:
                one.is_late = True
                warm.kill(one.process)
        self.view.show(self.table.rows(), {one.row.number: one.said for one in self.running}, self.feed.total)

    def _read(self, one: Running) -> None:
        """New lines of the job's metrics: for the view, and for the feed to judge."""
        one.run = one.run or find_by_identity(self.folder, one.row.identity)
        lines = self._new_lines(one)
        if lines:
            one.said = f"step {lines[-1]['step']:,}"
        judged = [line for line in lines if self.metric in line]
        if judged and not one.is_pruned and self.feed.is_hopeless(one.row, judged):
            one.is_pruned = True
            warm.kill(one.process, signal.SIGTERM)  # it saves at the step's end, on all ranks

    def _new_lines(self, one: Running) -> list[Mapping[str, Any]]:
        if one.run is None or not one.run.metrics_path.exists():
            return []
        with one.run.metrics_path.open("rb") as file:
            file.seek(one.offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        one.offset += len(whole)
        found = []
        for line in whole.splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # the file was cut back under our eyes
                found.append(json.loads(line))
        return [line for line in found if isinstance(line.get("step"), int)]

    # After.

    def _end(self, one: Running) -> None:
        """The job's state from what it left."""
        run = find_by_identity(self.folder, one.row.identity)
        is_done = run is not None and run.summary.get("status") == "finished"
        self._read(one)
        if run is not None and is_done:
            self._set_done(one.row, run)
        elif one.is_pruned:
            self.table.change(one.row.number, state="pruned", run=self._relative(run))
        elif self.signals and not one.is_late:
            self.table.change(one.row.number, state="queued", run=self._relative(run))
        else:
            reason = self._reason(one, run)
            self.table.change(one.row.number, state="failed", run=self._relative(run), message=reason)
        row = self._row(one.row.number)
        if row.state != "queued":
            self.feed.ended(row)
            tail = last_lines(log_path(self.folder, row), TAIL) if row.state == "failed" else ()
            self.view.ended_one(row, self.table.rows(), tail, self.feed.total)

    def _set_done(self, row: Row, run: RunFolder) -> None:
        value = run.summary.get(self.metric)
        self.table.change(row.number, state="done", run=self._relative(run), value=value, message="")

    def _reason(self, one: Running, run: RunFolder | None) -> str:
        if one.is_late:
            return f"it took longer than sweep.job_timeout={self.timeout:g} seconds"
        code = one.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return f"killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"
        said = str(run.summary.get("reason", "")) if run is not None else ""
        lines = last_lines(log_path(self.folder, one.row), 1)
        return said or (lines[0] if lines else f"exit code {code}")

    def _relative(self, run: RunFolder | None) -> str | None:
        return None if run is None else str(run.path.resolve().relative_to(self.folder.resolve()))

    def _row(self, number: int) -> Row:
        return next(row for row in self.table.rows() if row.number == number)

    # Signals.

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1  # passed on in the loop: a job may be starting just now
