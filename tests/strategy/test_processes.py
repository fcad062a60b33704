"""Starting and ending of ranks, with processes that do little: the entry point is replaced by a script."""

import os
import signal
import sys
import threading
import time

import psutil
import pytest

from lmlab.strategy import processes
from lmlab.types import Failed, Interrupted, Mistake


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a piece of Python as every rank; `told` speaks on the pipe to the parent."""
    package = tmp_path / "stand_in"
    (package / "lmlab").mkdir(parents=True)
    (package / "lmlab" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(package))
    monkeypatch.chdir(tmp_path)

    def started(code, num=2):
        head = (
            "import json, os, signal, sys, time\n"
            "rank = int(os.environ['RANK'])\n"
            "def told(**report): os.write(int(os.environ['LMLAB_RANK_REPORT']), json.dumps(report).encode())\n"
        )
        (package / "lmlab" / "rank.py").write_text(head + code)
        processes.run_ranks([], num=num, threads=1, folder=tmp_path)

    return started


def until(is_time):
    """Waits for it; a test in which it never comes goes on after a while, and fails."""
    end = time.monotonic() + 60
    while not is_time() and time.monotonic() < end:
        time.sleep(0.01)


def test_every_rank_knows_its_place(run, tmp_path):
    run(
        "open(f'place{rank}', 'w').write(' '.join(os.environ[n] for n in ('LOCAL_RANK', 'WORLD_SIZE', 'OMP_NUM_THREADS')))",
        3,
    )
    assert [(tmp_path / f"place{rank}").read_text() for rank in range(3)] == ["0 3 1", "1 3 1", "2 3 1"]


@pytest.mark.parametrize("kind", [Mistake, Failed, Interrupted])
def test_what_a_rank_says_is_raised_in_its_own_words(run, kind):
    code = {Mistake: 2, Failed: 1, Interrupted: 3}[kind]
    with pytest.raises(kind, match="its own words"):
        run(f"told(kind='{kind.__name__}', text='its own words'); sys.exit({code})")


def test_the_rank_that_failed_is_named_and_not_the_one_that_lost_it(run, caplog):
    code = (
        "if rank == 0: told(kind='error', text='Connection closed', is_echo=True); sys.exit(1)\n"
        "time.sleep(0.3); told(kind='error', text='ValueError: x', trace='line 1\\nValueError: x'); sys.exit(1)"
    )
    with pytest.raises(Failed, match="rank 1 failed: ValueError: x"):
        run(code)
    assert "line 1" in caplog.text


def test_a_rank_that_says_nothing_is_known_by_what_it_wrote(run, caplog, tmp_path):
    with pytest.raises(Failed, match="rank 1 was ended by SIGSEGV"):
        run("sys.stderr.write('a last line'); sys.stderr.flush(); rank and os.kill(os.getpid(), signal.SIGSEGV)")
    assert "a last line" in caplog.text
    assert (tmp_path / "1.txt").read_text() == "a last line"


def test_one_that_fails_ends_those_that_wait(run, monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.2)
    start = time.monotonic()
    with pytest.raises(Failed):
        run("told(kind='Failed', text='') or sys.exit(1) if rank else time.sleep(100)", 3)
    assert time.monotonic() - start < 10
    assert not [child for child in psutil.Process().children() if "lmlab.rank" in child.cmdline()]


def test_a_signal_is_handed_to_every_rank_once(run, tmp_path):
    before = signal.getsignal(signal.SIGUSR1)
    code = (
        "def noted(number, frame): open(f'got{rank}', 'a').write(f'{number} '); told(kind='Interrupted', text='s'); sys.exit(3)\n"
        "signal.signal(signal.SIGUSR1, noted); open(f'up{rank}', 'w').close()\n"
        "while True: time.sleep(1)"
    )

    def send():
        until(lambda: all((tmp_path / f"up{rank}").exists() for rank in range(2)))
        os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=send).start()
    with pytest.raises(Interrupted):
        run(code)
    assert [(tmp_path / f"got{rank}").read_text() for rank in range(2)] == [f"{int(signal.SIGUSR1)} "] * 2
    assert signal.getsignal(signal.SIGUSR1) == before


def test_ctrl_c_twice_does_not_wait_for_a_step(run, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "IMPATIENT_GRACE", 0.2)
    code = (
        "signal.signal(signal.SIGINT, lambda *_: open(f'got{rank}', 'a').close()); open(f'up{rank}', 'w').close()\n"
        "while True: time.sleep(1)"
    )

    def send():
        for name in ("up0", "got0"):
            until((tmp_path / name).exists)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=send).start()
    with pytest.raises(Interrupted, match="stopped by SIGINT"):
        run(code)
    assert not [child for child in psutil.Process().children() if "lmlab.rank" in child.cmdline()]


def test_two_groups_at_once_do_not_meet(run, tmp_path):
    code = "open(f'port{os.getpid()}', 'w').write(os.environ['MASTER_PORT'])"
    stores = [processes.open_store() for _ in range(3)]
    run(code, 1)
    assert len({store.port for store in stores}) == 3
    (written,) = tmp_path.glob("port*")
    assert int(written.read_text()) not in {store.port for store in stores}


@pytest.mark.skipif(sys.platform != "linux", reason="prctl")
def test_a_rank_whose_parent_is_another_process_does_not_start():
    import subprocess

    environment = {**os.environ, "LMLAB_RANK_PARENT": "1", "RANK": "0"}
    assert subprocess.run([sys.executable, "-m", "lmlab.rank", "x"], env=environment, check=False).returncode == 1
