"""Provenance: what a run was made with and on, so that it can be repeated and its differences be named."""

import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from lmlab.run import code

VARIABLES = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG", "SLURM_JOB_ID")
"""What of the environment can change a result, or names the job."""


def environment(*, folder: Path, threads: int, fingerprint: str, command: Sequence[str] = ()) -> dict[str, Any]:
    """What environment.json holds; changes against the commits go to `<folder>/code.diff`.

    Args:
        command: What was started; by default this process's own command line.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(command or [Path(sys.argv[0]).name, *sys.argv[1:]]),
        "folder": os.getcwd(),
        "host": socket.gethostname(),
        "fingerprint": fingerprint,
        "threads": threads,
        "code": code.state(folder, package=Path(__file__).parents[1], cwd=Path.cwd()),
        "hardware": _hardware(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "packages": packages(),
    }


def packages() -> dict[str, str]:
    """Every installed distribution with its version, by the names of the folders that pip makes: a tenth of the time."""
    folders = [path for place in sys.path if Path(place).is_dir() for path in Path(place).glob("*.dist-info")]
    found: dict[str, str] = {}
    for folder in folders:
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        found.setdefault(name.replace("_", "-").lower(), version)  # the first on the path is the one that is imported
    return dict(sorted(found.items()))


def _hardware() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": _gpus(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gpus() -> list[dict[str, str]]:
    """Asked from the driver and not from torch, which would start a GPU context only to name it."""
    if shutil.which("nvidia-smi") is None:
        return _torch_gpus()
    fields = ("name", "memory.total", "driver_version")
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return _torch_gpus()
    return [dict(zip(fields, line.split(", "))) for line in answer.stdout.splitlines() if line]


def _torch_gpus() -> list[dict[str, str]]:
    """GPUs without nvidia-smi (ROCm, Apple), where torch is loaded anyway."""
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    if torch.cuda.is_available():
        return [{"name": torch.cuda.get_device_name(index)} for index in range(torch.cuda.device_count())]
    return [{"name": "Apple MPS"}] if torch.backends.mps.is_available() else []
