"""The places in which jobs run: each with its own devices and its share of the cores."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from lmlab.types import Mistake

MOST_ON_A_CPU = 8
"""Jobs at once on a CPU where sweep.parallel says nothing: each holds a model, and its data in memory."""


@dataclass(frozen=True)
class Slot:
    """One place."""

    number: int
    devices: tuple[str, ...]
    """What CUDA_VISIBLE_DEVICES is to hold; empty: no GPU is used."""
    cores: tuple[int, ...]
    """The CPU cores; empty where the system cannot restrict them."""


def slots(
    *, gpus: Sequence[str], devices: int, jobs_per_device: int, parallel: int | None, threads: int | None
) -> list[Slot]:
    """As many places as devices, cores and `sweep.parallel` allow.

    Args:
        gpus: the GPUs that may be used, as CUDA_VISIBLE_DEVICES names them; none: jobs run on the CPU.
        devices: that each job needs.
        jobs_per_device: that share one GPU.
        parallel: jobs at once, at most; None: what fits.
        threads: of each job; None: an equal share of the cores.
    """
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))
    if gpus:
        sets = [tuple(gpus[start : start + devices]) for start in range(0, len(gpus) - devices + 1, devices)]
        if not sets:
            raise Mistake(f"trainer.devices={devices}: this machine has {len(gpus)}; set trainer.devices lower")
        places = sets * jobs_per_device
        number = min(len(places), parallel or len(places))
    else:
        places = [()] * (parallel or max(1, min(MOST_ON_A_CPU, len(cores) // ((threads or 1) * devices))))
        number = len(places)
    share = max(1, len(cores) // number)
    return [Slot(n, places[n], _share(cores, n, share) if sys.platform == "linux" else ()) for n in range(number)]


def _share(cores: Sequence[int], number: int, share: int) -> tuple[int, ...]:
    """Cores of their own where there are enough; else the jobs take turns on them."""
    start = number * share % len(cores)
    return tuple(cores[start : start + share]) or tuple(cores)


def gpus_of(accelerator: str) -> list[str]:
    """The GPUs that this process may use."""
    if accelerator != "cuda":
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
