"""Starts one process per rank, each with the composed configuration in a file, and waits: the first that fails ends the others.

The command line is never run again: a rank knows nothing of it. A rank leads a session of its own, so that Ctrl-C in a terminal
reaches the process that waits here, which hands it on once; where that process is killed, the ranks die with it.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from lmlab.strategy.group import HERE, open_store
from lmlab.strategy.nodes import KINDS, Nodes, cause
from lmlab.types import Failed, Interrupted, Mistake

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

REPORT = "LMLAB_RANK_REPORT"
"""The variable that holds the file descriptor on which a rank says how it ended."""

PARENT = "LMLAB_RANK_PARENT"
"""The variable that holds the process whose death ends the ranks."""

POLL = 0.05
GRACE = 5.0
"""Seconds that the others have after one rank has failed, to close what they have open."""

LONG_GRACE = 60.0
"""The same after one has stopped in good order: the first rank may have figures to upload."""

IMPATIENT_GRACE = 1.0
"""The same after a second Ctrl-C."""

LAST_LINES = 20


@dataclass
class Started:
    """One rank's process, and what it said when it ended."""

    number: int
    process: "subprocess.Popen[bytes]"
    pipe: int
    output: Path | None
    was_killed: bool = False
    ended: float | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def is_alive(self) -> bool:
        """Whether it runs; the first time that it does not, its report is read."""
        if self.ended is None and self.process.poll() is not None:
            self.ended = time.monotonic()
            with suppress(BlockingIOError, json.JSONDecodeError):
                self.report = json.loads(os.read(self.pipe, 2**16) or b"{}")
            os.close(self.pipe)
        return self.ended is None

    @property
    def code(self) -> int:
        return int(self.process.returncode)

    def last_lines(self) -> str:
        """The end of what it wrote, where that is not on the terminal already."""
        text = str(self.report.get("trace", ""))
        if not text and self.output is not None and self.output.exists():
            text = self.output.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.rstrip().split("\n")[-LAST_LINES:])


def run_ranks(arguments: Sequence[str], *, num: int, threads: int, folder: Path, nodes: Nodes | None = None) -> None:
    """Runs `python -m lmlab.rank ARGUMENTS` as `num` ranks on this machine until all have ended.

    Rank 0 writes where this process does, each other to a file in `folder`. With several machines, `nodes`, the
    end of one in failure ends the others.

    Raises:
        Mistake, Failed, Interrupted: what the first rank to fail said, in its own words.
    """
    group = Group.alone(num) if nodes is None else Group.among(nodes, num)
    ranks: list[Started] = []
    with heard() as signals:
        try:
            for number in range(num):
                ranks.append(_start(arguments, number, threads, group, folder))
            _wait(ranks, signals, nodes)
        finally:
            _kill(ranks)
    try:
        _conclude(ranks, signals, nodes)
    except (Mistake, Failed, Interrupted) as error:
        is_echo = all(rank.was_killed or rank.report.get("is_echo") for rank in ranks if rank.code)
        raise error if nodes is None else cause(error, is_echo, nodes) from None


@dataclass(frozen=True)
class Group:
    """What ranks are told of each other, beside their own number."""

    first: int
    world: int
    address: str
    port: int
    store: Any
    """Lives as long as this does."""

    @staticmethod
    def alone(num: int) -> "Group":
        store = open_store()
        return Group(0, num, HERE, store.port, store)

    @staticmethod
    def among(nodes: Nodes, num: int) -> "Group":
        return Group(nodes.number * num, nodes.count * num, nodes.address, nodes.port, nodes.store)

    @property
    def is_here(self) -> bool:
        """Whether all ranks are on this machine."""
        return self.address == HERE


def _start(arguments: Sequence[str], number: int, threads: int, group: Group, folder: Path) -> Started:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    environment = {
        **os.environ,
        "RANK": str(group.first + number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(group.world),
        "MASTER_ADDR": group.address,
        "MASTER_PORT": str(group.port),
        "OMP_NUM_THREADS": str(threads),
        REPORT: str(writing),
        PARENT: str(os.getpid()),
    }
    if sys.platform == "linux" and group.is_here:
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a host's own name need not lead back to it
    number += group.first
    path = None if number == 0 else folder / f"{number}.txt"
    output = None if path is None else path.open("wb")
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "lmlab.rank", *arguments],
            env=environment,
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(writing)
        if output is not None:
            output.close()
    return Started(number, process, reading, path)


@contextmanager
def heard() -> Iterator[list[int]]:
    """Signals are noted and no more; whoever waits hands them on."""
    signals: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        signals.append(number)

    numbers = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(ranks: Sequence[Started], signals: Sequence[int], nodes: Nodes | None) -> None:
    deadline, handed_on = float("inf"), 0
    while alive := [rank for rank in ranks if rank.is_alive()]:
        for number in signals[handed_on:]:
            handed_on += 1
            for rank in alive:
                with suppress(ProcessLookupError):
                    rank.process.send_signal(number)
        codes = {rank.code for rank in ranks if rank.ended is not None}
        grace = [GRACE] if codes - {0, 3} else []
        if nodes is not None and (lost := nodes.watch()) is not None:
            grace += [LONG_GRACE if isinstance(lost, Interrupted) else GRACE]
        grace += [LONG_GRACE] if 3 in codes else []
        grace += [IMPATIENT_GRACE] if is_impatient(signals) else []
        if grace:
            deadline = min(deadline, time.monotonic() + min(grace))
        if time.monotonic() >= deadline:
            _kill(ranks)
        time.sleep(POLL)


def is_impatient(signals: Sequence[int]) -> bool:
    """Whether Ctrl-C came twice."""
    return list(signals).count(signal.SIGINT) > 1


def _kill(ranks: Sequence[Started]) -> None:
    alive = [rank for rank in ranks if rank.is_alive()]
    for rank in alive:
        rank.was_killed = True
        rank.process.kill()
    for rank in alive:
        rank.process.wait()
        rank.is_alive()


def _conclude(ranks: Sequence[Started], signals: Sequence[int], nodes: Nodes | None) -> None:
    """Raises what the rank said that failed first; what the others say of its absence is only an echo."""
    failed = [rank for rank in ranks if rank.code != 0 and not rank.was_killed]
    if is_impatient(signals) and any(rank.code for rank in ranks):
        raise Interrupted("stopped by SIGINT: lmlab resume latest goes on from the last checkpoint")
    if failed:
        first = min(failed, key=lambda rank: (bool(rank.report.get("is_echo")), rank.ended, rank.number))
        _raise(first, signals, is_told=nodes is None or not first.report.get("is_echo"))
    if nodes is not None and nodes.failure is not None:
        raise nodes.failure
    assert all(rank.code == 0 for rank in ranks), "no rank is killed where none has failed"


def _raise(rank: Started, signals: Sequence[int], *, is_told: bool) -> NoReturn:
    kind, text = rank.report.get("kind"), str(rank.report.get("text", ""))
    if kind in KINDS:
        raise KINDS[kind](text)
    if signals or rank.code == 3:
        name = signal.Signals(signals[-1]).name if signals else "a signal"
        raise Interrupted(f"stopped by {name}; lmlab resume latest goes on from the last checkpoint")
    if is_told and (lines := rank.last_lines()):
        log.error("%s", lines)
    what = f"was ended by {signal.Signals(-rank.code).name}" if rank.code < 0 else f"failed: {text or 'see above'}"
    raise Failed(
        f"rank {rank.number} {what}; the others were stopped. lmlab resume latest goes on from the last checkpoint"
    )
