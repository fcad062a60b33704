"""A run is trained by one process at a time, and a dead one's run can be taken over, by exactly one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from lmlab.run import claim, lock
from lmlab.run.lock import Lock
from lmlab.types import Interrupted, Mistake

HOLD = (
    "import sys; from pathlib import Path; from lmlab.run.lock import Lock\n"
    "with Lock(Path(sys.argv[1])):\n"
    "    print('held', flush=True); sys.stdin.read()\n"
)

RACE = (
    "import sys; from pathlib import Path; from lmlab.run.lock import Lock; from lmlab.types import Mistake\n"
    "print('ready', flush=True); sys.stdin.readline()\n"
    "try:\n"
    "    lock = Lock(Path(sys.argv[1])).acquire(); print('won', flush=True); sys.stdin.read()\n"
    "except Mistake: print('lost', flush=True)\n"
)


def test_a_second_process_is_refused_and_told_where_the_first_runs(tmp_path):
    with _process(HOLD, tmp_path) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(Mistake, match=f"is running on {socket.gethostname()} as process {first.pid} since"):
            Lock(tmp_path).acquire()
        assert lock.holder(tmp_path).pid == first.pid


def test_a_lock_that_was_given_back_can_be_taken_again(tmp_path):
    for _ in range(3):
        with Lock(tmp_path):
            assert lock.holder(tmp_path).pid == os.getpid()
        assert lock.holder(tmp_path) is None
    assert len(os.listdir(tmp_path / ".lock")) == 1


def test_a_killed_process_holds_nothing(tmp_path):
    _leave_dead_lock(tmp_path)
    assert lock.holder(tmp_path) is None
    with Lock(tmp_path):
        assert lock.holder(tmp_path).pid == os.getpid()


def test_a_killed_process_that_nobody_has_reaped_holds_nothing(tmp_path):
    with _process(HOLD, tmp_path) as first:
        first.stdout.readline()
        os.kill(first.pid, signal.SIGKILL)
        _wait_until(lambda: lock.holder(tmp_path) is None)
        assert psutil.Process(first.pid).status() == psutil.STATUS_ZOMBIE  # until somebody waits for it


@pytest.mark.parametrize("has_dead_lock", [False, True])
def test_of_many_takers_exactly_one_wins(tmp_path, has_dead_lock):
    if has_dead_lock:
        _leave_dead_lock(tmp_path)
    takers = [subprocess.Popen([sys.executable, "-c", RACE, tmp_path], **_PIPES) for _ in range(5)]
    for taker in takers:
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        taker.stdin.write("go\n")
        taker.stdin.flush()
    results = [taker.stdout.readline() for taker in takers]
    for taker in takers:
        taker.communicate("")
    assert sorted(results) == ["lost\n"] * 4 + ["won\n"]


def test_another_process_with_a_dead_one_s_number_does_not_hold_its_lock(tmp_path):
    _write_lock(tmp_path, process="1")
    assert lock.holder(tmp_path) is None


def test_a_lock_of_another_host_is_held_while_its_heart_beats(tmp_path):
    held = _write_lock(tmp_path, host="elsewhere", pid=1)
    assert lock.holder(tmp_path).host == "elsewhere"
    with pytest.raises(Mistake, match="is running on elsewhere as process 1"):
        Lock(tmp_path).acquire()
    os.utime(held.path, (time.time() - 61,) * 2)
    assert lock.holder(tmp_path) is None
    with Lock(tmp_path):
        assert lock.holder(tmp_path).pid == os.getpid()


def test_the_same_host_name_with_other_process_numbers_is_another_host(tmp_path):
    _write_lock(tmp_path, machine="another container", pid=2**22 + 1)
    assert lock.holder(tmp_path) is not None


def test_the_silence_is_measured_by_the_clock_of_the_folder(tmp_path, monkeypatch):
    _write_lock(tmp_path, host="elsewhere")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert lock.holder(tmp_path) is not None


def test_the_heart_beats(tmp_path):
    with Lock(tmp_path, heartbeat=0.01):
        path = claim.highest(tmp_path / ".lock").path
        os.utime(path, (1.0, 1.0))
        _wait_until(lambda: path.stat().st_mtime > 1.0)


def test_a_process_whose_run_was_taken_over_is_stopped(tmp_path):
    with Lock(tmp_path, heartbeat=0.01) as slept:
        slept.check()
        claim.follow(tmp_path / ".lock", claim.highest(tmp_path / ".lock"), "{}")
        _wait_until(lambda: slept._is_lost)
        with pytest.raises(Interrupted, match="taken over"):
            slept.check()
    assert claim.highest(tmp_path / ".lock").number == 2


def test_a_lock_without_readable_content_is_held_while_its_heart_beats(tmp_path):
    held = claim.follow(tmp_path / ".lock", None, "")
    assert lock.holder(tmp_path).host == "an unknown host"
    os.utime(held.path, (1.0, 1.0))
    assert lock.holder(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_the_user_s_mistake(tmp_path):
    (tmp_path / ".lock").write_text("in the way")
    with pytest.raises(Mistake, match="cannot be written"):
        Lock(tmp_path).acquire()


_PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}


@contextmanager
def _process(code, folder):
    process = subprocess.Popen([sys.executable, "-c", code, folder], **_PIPES)
    try:
        yield process
    finally:
        process.communicate("")


def _leave_dead_lock(folder):
    with _process(HOLD, folder) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()
    assert claim.highest(folder / ".lock") is not None


def _write_lock(folder, **changes):
    own = Lock(folder).acquire()
    content = json.loads(claim.highest(folder / ".lock").content)
    own.release()
    return claim.follow(folder / ".lock", claim.highest(folder / ".lock"), json.dumps({**content, **changes}))


def _wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
