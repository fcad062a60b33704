"""Kills training with SIGKILL at random moments, gives the same command again, and compares the end with an undisturbed run.

    python scripts/torture.py [MODEL ...] [--kills 20] [--seed 0]

One line per case: how often it was killed and where, and whether weights and metrics came out identical. Exit code 1 if
any case differs. torch and lmlab are imported once, in a fork server; every start of the command is a process of its own.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from typing import IO

MODELS = ("rnn", "lstm", "gru", "transformer")
BATCHES = {model: ("windows",) if model == "transformer" else ("windows", "streams") for model in MODELS}
"""A Transformer's state grows with what it has seen: lmlab refuses to carry it through streams."""

OF_THE_CLOCK = ("seconds", "tokens_per_second", "memory_gb", "reason")
"""The same of summary.json."""

EPOCHS = 4
PROJECT = "torture"
LINES_OF_THEIR_OWN = ("time", "tokens_per_second")
"""What a line of metrics.jsonl says about the clock, not about the model."""

FAST = multiprocessing.get_context("forkserver")
FAST.set_forkserver_preload(["lmlab.command.train", "lmlab.command.fit", "lmlab.command.continuation"])


def overrides(folder: Path, *more: str) -> list[str]:
    """A run of some sixty steps of a few milliseconds, with everything on that could make it differ."""
    text = folder / "text.txt"
    if not text.exists():
        noise = random.Random(7)
        text.write_text("".join(noise.choice("aaaabcdeee fgh \n") for _ in range(1201)))
    return [
        "data=text", f"data.path={text}", "tokenizer=char", "logger=none", f"cache_dir={folder / 'cache'}",
        "model.dim=16", "model.num_layers=2", "model.dropout=0.2", "batch.size=6", "batch.micro_size=2",
        "batch.seq_len=11", f"trainer.max_epochs={EPOCHS}", "trainer.threads=1", "trainer.log_every=1",
        "trainer.val_check_interval=5", "checkpoint.every=3", f"project={PROJECT}", *more,
    ]  # fmt: skip


def command(
    arguments: Sequence[str], output: str, variables: Mapping[str, str] | None = None, *, forks_ranks: bool = False
) -> None:
    """In a new process with these variables: the command line, its output appended to a file.

    Args:
        forks_ranks: whether its ranks are forked from it, instead of importing torch each for itself.
    """
    os.environ.update(variables or {})
    if forks_ranks:
        from lmlab.strategy import processes

        processes.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": Forked})
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)  # as in a fresh process
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from lmlab.cli import main

    main(list(arguments))


class Forked:
    """What subprocess.Popen is to the process that starts ranks: `python -m lmlab.rank ARGUMENTS`, forked."""

    def __init__(
        self, words: Sequence[str], *, env: Mapping[str, str], stdout: IO[bytes] | None, **_as_it_is: object
    ) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become(words, env, stdout)
            finally:
                os._exit(1)

    def _become(self, words: Sequence[str], env: Mapping[str, str], stdout: IO[bytes] | None) -> None:
        os.setsid()
        for descriptor in (1, 2) if stdout is not None else ():
            os.dup2(stdout.fileno(), descriptor)
        os.environ.update(env)
        sys.argv = [*words[2:]]
        from lmlab import rank

        rank.main()

    def poll(self) -> int | None:
        return self._ended(os.WNOHANG)

    def wait(self) -> int | None:
        return self._ended(0)

    def _ended(self, options: int) -> int | None:
        if self.returncode is None and (found := os.waitpid(self.pid, options))[0]:
            self.returncode = os.waitstatus_to_exitcode(found[1])
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass
class Trial:
    """One experiment in a folder of its own, however often it is started."""

    folder: Path
    overrides: Sequence[str]
    verb: str = "train"
    kills: list[str] = field(default_factory=list)

    def start(self, *, forks_ranks: bool = False) -> ForkServerProcess:
        """The command, given once more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [self.verb, *self.overrides, f"output_dir={self.folder}"]
        process = FAST.Process(target=command, args=(arguments, str(self.output)), kwargs={"forks_ranks": forks_ranks})
        process.start()
        return process

    def finish(self) -> int:
        """Runs it to the end; its exit code."""
        process = self.start(forks_ranks=True)
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    def signal_when(self, is_time: Callable[[], bool], number: int) -> int:
        """Starts it and sends a signal as soon as it is time; its exit code."""
        process = self.start()
        while process.is_alive() and not is_time():
            time.sleep(0.0005)
        if process.is_alive():
            os.kill(process.pid, number)
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    def kill_when(self, is_time: Callable[[], bool]) -> bool:
        """Starts it and kills it as soon as it is time; False where it came to its end before."""
        was_killed = self.signal_when(is_time, 9) == -9
        if was_killed:
            self.kills.append(f"{self.step}{'s' if self.is_saving() else ''}")
        return was_killed

    # What a look at the folder tells.

    @property
    def output(self) -> Path:
        return self.folder / "output.txt"

    @property
    def run(self) -> Path | None:
        """The run's folder; found by name, because links that are being replaced would break a search below them."""
        found = sorted(self.folder.glob(f"{PROJECT}/*/run.json"))
        return found[0].parent if found else None

    @property
    def step(self) -> int:
        """The step of the newest line of metrics.jsonl."""
        return max((line["step"] for line in self.lines()), default=0)

    @property
    def saved_step(self) -> int:
        """The step of the newest checkpoint."""
        names = self.run.glob("checkpoints/step_*.ckpt") if self.run else ()
        return max((int(path.stem.removeprefix("step_")) for path in names), default=0)

    def is_saving(self) -> bool:
        """Whether a checkpoint is being written, or was when the process died."""
        return bool(self.being_written())

    def being_written(self) -> set[Path]:
        """Files of checkpoints that have not got their final name."""
        return set(self.run.glob("checkpoints/*.tmp-*")) if self.run else set()

    def lines(self) -> list[dict[str, object]]:
        """metrics.jsonl without what differs between any two runs; a torn last line left out."""
        path = (self.run or Path()) / "metrics.jsonl"
        texts = path.read_text().split("\n")[:-1] if path.exists() else []
        return [
            {key: value for key, value in json.loads(text).items() if key not in LINES_OF_THEIR_OWN} for text in texts
        ]

    @property
    def summary(self) -> dict[str, object]:
        """Final figures, without the seconds they took."""
        path = (self.run or Path()) / "summary.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        return {key: value for key, value in found.items() if key not in OF_THE_CLOCK}


def differences(one: Trial, other: Trial) -> list[str]:
    """What is not the same in two finished trials."""
    first, second = one.summary, other.summary
    found = [key for key in sorted(first.keys() | second.keys()) if first.get(key) != second.get(key)]
    return found + (["metrics.jsonl"] if one.lines() != other.lines() else [])


def torture(trial: Trial, reference: Trial, *, kills: int, chance: random.Random) -> list[str]:
    """Kills the trial again and again, lets it end, and returns what differs from the reference."""
    total = reference.step
    for number in range(kills):
        if not trial.kill_when(moment(trial, total, kills - number, chance)):
            break
    code = trial.finish()
    return [f"exit code {code}"] if code else differences(reference, trial)


def moment(trial: Trial, total: int, left: int, chance: random.Random) -> Callable[[], bool]:
    """A random moment: in a step, at an epoch's end, while a checkpoint is being written, or after the last step.

    Not too far on, so that there is something left for the other kills.
    """
    saved, epoch = trial.saved_step, total // EPOCHS
    reach = max(2, 2 * (total - saved) // left)
    step = min(total, saved + chance.randint(1, reach))
    end = (saved // epoch + 1) * epoch
    if end <= saved + 2 * reach and chance.random() < 0.5:
        step = min(total, end)
    if chance.random() < 0.4 and step < total:
        return in_a_save(trial, skip=chance.choice((0, 0, 1, 2)))
    late = chance.random() * 0.02

    def is_time() -> bool:
        if trial.step < step:
            return False
        time.sleep(late)  # anywhere between this line of the metrics and the next
        return True

    return is_time


def in_a_save(trial: Trial, skip: int) -> Callable[[], bool]:
    """While a checkpoint is being written, after `skip` that are left alone; what earlier kills left does not count."""
    seen = trial.being_written()
    last = len(seen) + skip

    def is_time() -> bool:
        found = trial.being_written()
        is_new = bool(found - seen)
        seen.update(found)
        return is_new and len(seen) > last

    return is_time


def main() -> int:
    """All cases of the chosen models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in chosen.models:
            for batch in BATCHES[model]:
                given = overrides(folder, f"model={model}", f"batch={batch}")
                reference = Trial(folder / f"{model}_{batch}", given)
                if code := reference.finish():
                    sys.stdout.write(f"{reference.output.read_text()}\n{model} {batch}: exit code {code}\n")
                    return 1
                for workers in (0, 2):
                    failed += not case(reference, folder, model, batch, workers, chosen.kills, chosen.seed)
    return 1 if failed else 0


def case(reference: Trial, folder: Path, model: str, batch: str, workers: int, kills: int, seed: int) -> bool:
    """One line of the report."""
    start = time.perf_counter()
    trial = Trial(folder / f"{model}_{batch}_{workers}", [*reference.overrides, f"batch.num_workers={workers}"])
    chance = random.Random(f"{seed} {model} {batch} {workers}")
    found = torture(trial, reference, kills=kills, chance=chance)
    saves = sum(kill.endswith("s") for kill in trial.kills)
    verdict = f"DIFFERENT: {', '.join(found)}" if found else f"identical ({str(trial.summary['weights_sha256'])[:12]})"
    sys.stdout.write(
        f"{model:<12}{batch:<8} workers={workers}  {len(trial.kills)} kills, {saves} in a save, of {reference.step} steps "
        f"({EPOCHS} epochs) at {' '.join(trial.kills)}: {verdict}, {time.perf_counter() - start:.0f} s\n"
    )
    sys.stdout.flush()
    return not found


if __name__ == "__main__":
    sys.exit(main())
