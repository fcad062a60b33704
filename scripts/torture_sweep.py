"""Kills a sweep with SIGKILL at random moments: the process that runs it, its jobs, or both; then gives the same command again.

    python scripts/torture_sweep.py [--kills 20] [--seed 0]

At the end the job table must be that of an undisturbed sweep, weights and figures included, no job may have been trained
to its end twice, and no process may be left. Exit code 1 if it differs.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from torture import LINES_OF_THEIR_OWN

from lmlab.launcher.table import Row, Table

MODELS = ("rnn", "lstm", "transformer")


def overrides(folder: Path) -> list[str]:
    """Six jobs of thirty steps; enough checkpoints to be killed in one."""
    text = folder / "text.txt"
    if not text.exists():
        noise = random.Random(7)
        text.write_text("".join(noise.choice("aaaabcdeee fgh \n") for _ in range(1201)))
    return [
        "-m", f"model={','.join(MODELS)}", "seed=1,2", "data=text", f"data.path={text}", "tokenizer=char", "logger=none",
        f"cache_dir={folder / 'cache'}", "model.dim=16", "model.num_layers=2", "model.dropout=0.2", "batch.size=6",
        "batch.micro_size=2", "batch.seq_len=11", "trainer.max_steps=30", "trainer.log_every=1",
        "trainer.val_check_interval=5", "checkpoint.every=3", "samples.num=0", "sweep.parallel=2", "sweep.name=torture",
    ]  # fmt: skip


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """The command, given once more."""
    command = [sys.executable, "-m", "lmlab", "train", *overrides(folder.parent), f"sweep.dir={folder}"]
    folder.mkdir(exist_ok=True)
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output)


def jobs_of(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The processes that train now: grandchildren, forked from the warm server."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
        return [one for one in below if one.parent() is not None and one.parent().pid != process.pid]
    except psutil.NoSuchProcess:
        return []


def kill(process: "subprocess.Popen[bytes]", what: str, chance: random.Random) -> None:
    jobs = jobs_of(process)
    if what in ("jobs", "both") and jobs:
        for one in jobs if what == "both" else [chance.choice(jobs)]:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
    if what in ("sweep", "both"):
        process.kill()
        process.wait()


def left(folder: Path) -> list[str]:
    """Living processes that work for this sweep."""
    found = []
    for one in psutil.process_iter(["cmdline", "status", "pid"]):
        is_ours = any(str(folder) in word for word in one.info["cmdline"] or [])
        if is_ours and one.info["status"] != psutil.STATUS_ZOMBIE and one.pid != os.getpid():
            found.append(f"{one.pid} {' '.join(one.info['cmdline'])[:80]}")
    return found


def seconds(folder: Path) -> float:
    """How long an undisturbed sweep takes."""
    begin = time.monotonic()
    assert start(folder).wait() == 0, (folder / "output.txt").read_text()[-2000:]
    return time.monotonic() - begin


def picture(folder: Path) -> list[object]:
    """The table, with each run's weights and figures."""
    rows = Table(folder / "torture").rows()
    return [
        (row.number, row.identity, row.varied, row.seed, row.state, row.value, *run_of(folder / "torture", row))
        for row in rows
    ]


def run_of(sweep: Path, row: Row) -> tuple[object, ...]:
    if row.run is None:
        return ()
    summary = json.loads((sweep / row.run / "summary.json").read_text())
    lines = [json.loads(line) for line in (sweep / row.run / "metrics.jsonl").read_text().splitlines()]
    own = [{key: value for key, value in line.items() if key not in LINES_OF_THEIR_OWN} for line in lines]
    return summary.get("weights_sha256"), summary.get("val/loss"), json.dumps(own)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as name:
        reference, folder = Path(name, "reference"), Path(name, "killed")
        whole = seconds(reference)
        process, counts = None, {"sweep": 0, "jobs": 0, "both": 0}
        for _ in range(chosen.kills):
            if process is None or process.poll() is not None:
                process = start(folder)
            time.sleep(chance.uniform(0.1, 0.7) * whole)
            what = chance.choice(list(counts))
            kill(process, what, chance)
            counts[what] += 1
        if process is not None and process.poll() is None:
            process.wait()
        code = start(folder).wait()
        deadline = time.monotonic() + 20
        while (alive := left(folder)) and time.monotonic() < deadline:
            time.sleep(0.1)
        runs = len(list((folder / "torture").glob("*/*/run.json")))
        same = picture(reference) == picture(folder)
        print(
            f"undisturbed {whole:.0f} s; kills: {counts}; exit code {code}; table {'identical' if same else 'DIFFERENT'}; "
            f"{runs} runs for {len(picture(folder))} jobs; processes left: {alive or 'none'}"
        )
        if not same:
            print(picture(reference), picture(folder), sep="\n")
        return int(code != 0 or not same or bool(alive) or runs != len(picture(folder)))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
