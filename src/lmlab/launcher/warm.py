"""Processes that start in a tenth of a second: forked from a server that has imported torch, Lightning and W&B once.

The server is multiprocessing's own. It imports and computes nothing, so that neither a CUDA context nor OpenMP's threads
exist before the fork; it ends with the process that started it, and its children with it. Where forking is unsafe
(macOS) every process is spawned.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

PRELOADED = [
    "lmlab.run.wandb_logger",
    "wandb.sdk.launch",
    "torch",
    "torch._dynamo",
    "pytorch_lightning",
    "torchmetrics",
    "lmlab.launcher.job",
    "lmlab.command.train",
    "lmlab.command.experiment",
    "lmlab.command.fit",
    "lmlab.command.rehearse",
    "lmlab.command.continuation",
    "lmlab.report.html",
]


def warm_up() -> None:
    """Starts the server, so that its imports run beside what is done until the first job starts."""
    if _method() == "forkserver":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        multiprocessing.forkserver.ensure_running()


def start(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process that runs `target`; not daemonic, because loaders start workers of their own."""
    context: Any = multiprocessing.get_context(_method())
    process: BaseProcess = context.Process(target=target, args=arguments)
    process.start()
    return process


def kill(process: BaseProcess, number: int = signal.SIGKILL) -> None:
    """Sends a signal to a process that may just have ended."""
    if process.pid is not None and process.is_alive():
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def _method() -> str:
    return "forkserver" if sys.platform == "linux" else "spawn"
