"""python -m lmlab.rank CONFIG_FILE [CHECKPOINT]: one rank of a run whose folder another process has made; nobody types it."""

import ctypes
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from lmlab.types import Failed, Interrupted, Mistake

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
CODES: dict[type[BaseException], int] = {Mistake: 2, Failed: 1, Interrupted: 3}
PR_SET_PDEATHSIG = 1
ECHOES = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo/transport", "NCCL", "recvValue")
"""What the loss of another rank looks like from here."""


def main() -> None:
    """The process of one rank."""
    die_with(int(os.environ["LMLAB_RANK_PARENT"]))
    for number in SIGNALS:
        signal.signal(number, leave)
    sys.path.append(os.getcwd())
    gc.set_threshold(20_000)  # as in lmlab.cli
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    code = ended(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # without the teardown of torch, which takes half a second and may wait for a rank that is gone


def leave(number: int, frame: FrameType | None) -> None:
    """A signal before training has begun: there is nothing to be saved."""
    os._exit(3)


def die_with(parent: int) -> None:
    """Ends this process when its parent ends, even by SIGKILL: no rank is left behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def watch(parent: int) -> None:
    """What prctl does, where there is none."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def ended(config_file: Path, checkpoint: Path | None) -> int:
    """Runs the rank, tells the parent how it ended, and returns the exit code."""
    try:
        train(config_file, checkpoint)
    except (Mistake, Failed, Interrupted) as error:
        tell(kind=type(error).__name__, text=str(error))
        return CODES[type(error)]
    except KeyboardInterrupt:
        tell(kind="Interrupted", text="interrupted; lmlab resume latest goes on from the last checkpoint")
        return 3
    except BaseException as error:
        sentence = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        trace = "".join(traceback.format_exception(error))
        if os.environ["RANK"] != "0":
            sys.stderr.write(trace)
        tell(kind="error", text=sentence, trace=trace[-8000:], is_echo=any(word in str(error) for word in ECHOES))
        return 1
    return 0


def tell(**report: Any) -> None:
    """One JSON object, on the pipe to the parent."""
    os.write(int(os.environ["LMLAB_RANK_REPORT"]), json.dumps(report).encode())


def train(config_file: Path, checkpoint: Path | None) -> None:
    """Checks that all ranks are about to do the same, and trains."""
    from lmlab import config as configuration
    from lmlab.run import wandb_logger

    config = configuration.stored(config_file)
    if os.environ["RANK"] == "0" and "wandb" in (config.logger or ()):
        wandb_logger.preload()
    from lmlab.command.experiment import resolve
    from lmlab.command.fit import train_here
    from lmlab.command.ranks import facts
    from lmlab.run.folder import RunFolder
    from lmlab.strategy.agreement import agree
    from lmlab.strategy.group import Rank, connect, join

    here, store = Rank.here(), connect()
    experiment = resolve(config)
    agree(store, here.rank, here.world, facts(experiment))
    join(store, experiment.config.trainer.accelerator)
    train_here(experiment, RunFolder(config_file.parents[1]), checkpoint, is_first=here.rank == 0)


if __name__ == "__main__":
    main()
