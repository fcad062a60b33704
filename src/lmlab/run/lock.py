"""Who trains in a run folder right now: a lock with a heartbeat, safe on a folder that several hosts share.

On its own host the owner is looked up as a process, so that a killed run can be continued at once. From any other host
its lock is held for dead when the heartbeat stands still for a minute by the shared folder's own clock.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import psutil

from lmlab.run import claim
from lmlab.types import Interrupted, Mistake

log = logging.getLogger(__name__)

HEARTBEAT = 10.0
"""Seconds between two signs of life."""

STALE = 60.0
"""Seconds without a sign of life after which a lock of another host is held for dead."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock."""

    host: str
    pid: int
    process: str
    """When the process started, as its host counts: with the pid it names one process for ever."""
    machine: str
    """Boot id and pid namespace: where these are equal, pids can be compared."""
    since: str
    """UTC, for messages."""

    def __str__(self) -> str:
        return f"{self.host} as process {self.pid} since {self.since} UTC"


class Lock:
    """Held while the block runs: `with Lock(folder): ...`; a Mistake if another living process holds it."""

    def __init__(self, folder: Path, *, heartbeat: float = HEARTBEAT, stale: float = STALE) -> None:
        self.folder = folder
        self._heartbeat = heartbeat
        self._stale = stale
        self._claim: claim.Claim | None = None
        self._is_lost = False
        self._end = threading.Event()

    def acquire(self) -> "Lock":
        """Take the lock, also from a process that has died."""
        try:
            self._claim = self._followed()
        except OSError as error:
            raise Mistake(f"{self.folder} cannot be written ({error.strerror}); free space, or copy the run") from error
        threading.Thread(target=self._beat, name="lock heartbeat", daemon=True).start()
        return self

    def check(self) -> None:
        """Stop a process that was held for dead (it slept, or lost the folder) and whose run another one continues."""
        if self._is_lost:
            raise Interrupted(f"{self.folder} was taken over by another process while this one stood still")

    def release(self) -> None:
        """Give the lock back."""
        self._end.set()
        if self._claim is not None:
            claim.give_back(self._claim)
            self._claim = None

    def __enter__(self) -> "Lock":
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _followed(self) -> claim.Claim:
        while True:
            last = claim.highest(_claims(self.folder))
            if last is not None and _is_held(last, self._stale):
                raise Mistake(f"{self.folder} is running on {_holder(last)}; wait for it, or stop that process")
            mine = claim.follow(_claims(self.folder), last, json.dumps(asdict(_this_process())))
            if mine is not None:
                return mine

    def _beat(self) -> None:
        held = self._claim
        assert held is not None
        while not self._end.wait(self._heartbeat):
            try:
                os.utime(held.path)  # without a time: the clock of the folder's server, not this host's
            except FileNotFoundError:
                self._is_lost = not self._end.is_set()
                return
            except OSError as error:  # the folder's server may be back for the next beat
                log.warning("The lock of %s could not be renewed: %s", self.folder, error)


def holder(folder: Path, *, stale: float = STALE) -> Holder | None:
    """The living process that holds the folder's lock; None if there is none."""
    last = claim.highest(_claims(folder))
    return _holder(last) if last is not None and _is_held(last, stale) else None


def _claims(folder: Path) -> Path:
    return folder / ".lock"


def _holder(held: claim.Claim) -> Holder:
    try:
        return Holder(**json.loads(held.content))
    except (json.JSONDecodeError, TypeError):  # being written by a host whose folder has no hard links
        return Holder(host="an unknown host", pid=0, process="", machine="", since="?")


def _is_held(held: claim.Claim, stale: float) -> bool:
    owner = _holder(held)
    if held.is_free:
        return False
    if owner.machine == _machine() and owner.host == socket.gethostname():
        return _process(owner.pid) == owner.process
    return _silence(held.path) < stale


def _silence(path: Path) -> float:
    """Seconds since the last heartbeat, both ends by the clock of the folder's server."""
    try:
        return _now(path.parent) - path.stat().st_mtime
    except FileNotFoundError:  # followed or given back since the look: whoever asks looks again
        return 0.0


def _now(folder: Path) -> float:
    probe = folder / f".{uuid.uuid4().hex}"
    try:
        probe.touch()
    except OSError:  # a folder that may only be read: this host's clock is the best there is
        return time.time()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _this_process() -> Holder:
    process = _process(os.getpid())
    assert process is not None, "this process is alive"
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Holder(socket.gethostname(), os.getpid(), process, _machine(), since)


def _process(pid: int) -> str | None:
    """When the living process `pid` started; None if there is none (a zombie is dead)."""
    try:
        # The name may hold spaces and parentheses; state is field 3, the start (clock ticks since boot) field 22.
        # psutil's create_time would move with the wall clock.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        pass
    if os.path.exists("/proc/self/stat"):
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
