"""One job of a sweep, in a process of its own: the composed configuration comes from a file, what it says goes into one."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import sys
import traceback
from pathlib import Path

from lmlab.rank import CODES, die_with
from lmlab.types import Failed, Interrupted, Mistake


def run(config: str, overrides: list[str], output: str, devices: str | None, cores: tuple[int, ...]) -> None:
    """Trains what the file `config` says, from where it stands, and exits as `lmlab train` would.

    Args:
        overrides: the command line that would train it alone.
        output: file that everything printed is appended to.
        devices: CUDA_VISIBLE_DEVICES; None: as it is.
        cores: CPU cores; empty: all.
    """
    die_with(os.getppid())
    gc.set_threshold(20_000)  # as in lmlab.cli
    gc.freeze()  # what the server has imported is never looked through again
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C in the terminal is for the sweep, which tells its jobs
    _write_to(output)
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)  # as in a fresh process
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    if cores:
        os.sched_setaffinity(0, cores)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    code = _trained(config, overrides)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # torch's own end takes half a second


def _trained(config: str, overrides: list[str]) -> int:
    from lmlab import config as configuration
    from lmlab.command.train import trained

    try:
        trained(configuration.stored(Path(config)), overrides, is_checked=True)
    except (Mistake, Failed, Interrupted) as error:
        sys.stderr.write(f"lmlab: {error}\n")
        return CODES[type(error)]
    except KeyboardInterrupt:
        return 3
    except BaseException:
        sys.stderr.write(traceback.format_exc())
        return 1
    return 0


def _write_to(output: str) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
