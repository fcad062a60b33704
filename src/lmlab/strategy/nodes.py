"""Several machines in one run: the same command is typed on each, and the first tells the others what to start.

They find each other by three variables that clusters and Lightning know: NODE_RANK, MASTER_ADDR and MASTER_PORT.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from torch.distributed import Store, TCPStore  # type: ignore[attr-defined]

from lmlab.types import Failed, Interrupted, Mistake

PATIENCE = timedelta(minutes=10)
"""How long a machine waits for the first one to answer."""

SILENCE = 30.0
"""Seconds without a sign of life after which a machine counts as gone."""

BEAT = 1.0
FAREWELL = 60.0
"""Seconds that a machine waits for the others after its own ranks have ended: the first rank may have figures to upload."""

SHORT_FAREWELL = 5.0
"""The same after a failure."""

KINDS: dict[str, type[Exception]] = {"Mistake": Mistake, "Failed": Failed, "Interrupted": Interrupted}
VARIABLES = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass
class Nodes:
    """This machine among all of a run."""

    number: int
    count: int
    address: str
    port: int
    store: Store = field(repr=False)
    failure: Exception | None = None
    """What the first other machine to fail said."""
    has_store: bool = True
    """Until the first machine is found to be gone."""
    last_beat: float = 0.0
    seen: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Of each other machine its last sign of life, and when it came."""

    @property
    def is_first(self) -> bool:
        """Whether this machine makes the run folder."""
        return self.number == 0

    @property
    def others(self) -> list[int]:
        return [number for number in range(self.count) if number != self.number]

    def tell(self, **message: Any) -> None:
        """What the other machines are to do: said once, by the first."""
        if not self.store.check(["start"]):
            self.store.set("start", json.dumps(message))

    def told(self) -> dict[str, Any]:
        """What the first machine said.

        Raises:
            Mistake, Failed, Interrupted: what stopped it before it could start.
        """
        try:
            self.store.wait(["start"], PATIENCE)
        except RuntimeError as error:
            raise self._gone(0) from error
        message: dict[str, Any] = json.loads(self.store.get("start"))
        if message.get("kind") in KINDS:
            raise KINDS[message["kind"]](message["text"])
        return message

    def end(self, error: BaseException | None) -> None:
        """Says how this machine's part ended, once."""
        if not self.has_store:
            return
        with suppress(RuntimeError):  # the first machine, and the store with it, may be gone
            if not self.store.check([f"ended/{self.number}"]):
                self.store.set(f"ended/{self.number}", json.dumps(report_of(error)))

    def watch(self) -> Exception | None:
        """Gives a sign of life; what another machine failed of, its silence included, or None."""
        now = time.monotonic()
        if self.failure is None and now - self.last_beat >= BEAT:
            self.last_beat = now
            try:
                self.store.add(f"alive/{self.number}", 1)
                self.failure = next(filter(None, map(self._failure, self.others)), None)
            except RuntimeError:
                self.failure, self.has_store = self._gone(0), False
        return self.failure

    def _failure(self, other: int) -> Exception | None:
        if self.store.check([f"ended/{other}"]):
            report = json.loads(self.store.get(f"ended/{other}"))
            if report["kind"] is None:
                return None
            return KINDS[report["kind"]](f"{self._name(other)}: {report['text']}")
        beats, now = self.store.add(f"alive/{other}", 0), time.monotonic()
        before, since = self.seen.get(other, (-1, now))
        self.seen[other] = (beats, since if beats == before else now)
        if beats == before and now - since > SILENCE:
            return self._gone(other)
        return None

    def _gone(self, number: int) -> Failed:
        return Failed(f"{self._name(number)} is gone; lmlab resume latest goes on from the last checkpoint")

    def _name(self, number: int) -> str:
        return f"the machine with NODE_RANK={number}"

    def wait_for_others(self, what: str = "ended", seconds: float = FAREWELL) -> Exception | None:
        """Until every other machine has `ended`, or `left` for good; what the first of them to fail said."""
        deadline = time.monotonic() + seconds
        awaited = [f"{what}/{number}" for number in self.others]
        with suppress(RuntimeError):
            while self.has_store and time.monotonic() < deadline and not self.store.check(awaited):
                if self.watch() is not None and what == "ended":
                    break
                time.sleep(BEAT / 10)
        self.last_beat = 0.0
        return self.watch()

    def leave(self, seconds: float) -> None:
        """The last word: the store is in the first machine's process, which goes after all others."""
        if self.is_first:
            self.wait_for_others("left", seconds)
        elif self.has_store:
            with suppress(RuntimeError):
                self.store.set(f"left/{self.number}", "")


def report_of(error: BaseException | None) -> dict[str, Any]:
    """An ending as text."""
    kind = type(error).__name__ if type(error).__name__ in KINDS else "Failed"
    return {"kind": None if error is None else kind, "text": str(error)}


def place(count: int, environment: Mapping[str, str]) -> tuple[int, str, int]:
    """NODE_RANK, MASTER_ADDR and MASTER_PORT.

    Raises:
        Mistake: where one is missing or out of range.
    """
    number, address, port = (environment.get(name, "") for name in VARIABLES)
    if not (number.isdecimal() and int(number) < count and address and port.isdecimal()):
        found = ", ".join(f"{name}={environment.get(name, 'nothing')}" for name in VARIABLES)
        raise Mistake(
            f"trainer.num_nodes={count}: start the same command on each of the {count} machines, with NODE_RANK=0 to "
            f"{count - 1}, MASTER_ADDR=the address of the first and MASTER_PORT=a free port there; found {found}"
        )
    return int(number), address, int(port)


@contextmanager
def meeting(count: int) -> Iterator[Nodes | None]:
    """The machines of a run of `count`; None for one machine. Whatever ends this one is told to the others."""
    if count == 1:
        yield None
        return
    nodes = _met(count, *place(count, os.environ))
    try:
        yield nodes
    except BaseException as error:
        nodes.end(error)
        if nodes.is_first:
            nodes.tell(**report_of(error))
        nodes.leave(SHORT_FAREWELL)
        raise
    nodes.end(None)
    nodes.leave(FAREWELL)


def _met(count: int, number: int, address: str, port: int) -> Nodes:
    try:
        store = TCPStore(address, port, is_master=number == 0, wait_for_workers=False, timeout=PATIENCE)
    except RuntimeError as error:
        what = "cannot be used here" if number == 0 else f"did not answer for {PATIENCE.seconds // 60} minutes"
        first = str(error).splitlines()[0]
        raise Mistake(f"MASTER_ADDR={address}, MASTER_PORT={port} {what} ({first}); set them to others") from error
    store.set_timeout(timedelta(seconds=SILENCE))
    return Nodes(number, count, address, port, store)


def cause(own: Exception, is_echo: bool, nodes: Nodes) -> Exception:
    """Of a failure here and one elsewhere, that which came first: the loss of other ranks is only an echo."""
    if is_echo and nodes.failure is None:
        nodes.wait_for_others(seconds=SHORT_FAREWELL)
    if not is_echo:
        return own
    return nodes.failure or Failed(
        "the ranks of another machine are gone; lmlab resume latest goes on from the last checkpoint"
    )
