"""Checkpoints that survive a kill at any instant: written beside their name, fsynced, renamed, verified on load."""

import contextlib
import hashlib
import logging
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO
from torch import Tensor

log = logging.getLogger(__name__)

NAME = re.compile(r"step_(\d+)\.ckpt")


class DurableCheckpointIO(CheckpointIO):
    """Lightning's way to the disk: one file holds tensors and plain data only, so `torch.load(weights_only=True)` reads it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        save(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        return load(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def save(checkpoint: dict[str, Any], path: Path) -> None:
    """Writes all of it or nothing: a reader sees the old file or the new one, also after a power cut.

    Raises:
        OSError: where the disk refuses; nothing of the attempt is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        with beside.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync(path.parent)
    except RuntimeError as error:  # torch's zip writer reports a full disk so
        beside.unlink(missing_ok=True)
        raise OSError(f"cannot write {path}: {error}") from error
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(path: Path) -> dict[str, Any]:
    """Reads a checkpoint.

    Raises:
        OSError: where the file is missing, cut short, or its checksums do not match its content.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise OSError(f"{path} is damaged: the checksum of {damaged} does not match")
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, EOFError, NotImplementedError) as error:
        raise OSError(f"{path} is damaged: {error}") from error
    return checkpoint


def saved_steps(folder: Path) -> list[Path]:
    """The run's full checkpoints, newest first."""
    found = [path for path in folder.glob("step_*.ckpt") if NAME.fullmatch(path.name)]
    return sorted(found, key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """The step that a file `step_00000500.ckpt` was saved after."""
    match = NAME.fullmatch(path.name)
    assert match is not None, f"{path} is not named after a step"
    return int(match[1])


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step stands."""
    return folder / f"step_{step:08d}.ckpt"


def newest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that is whole; damaged ones are named, and the one before is taken."""
    for path in saved_steps(folder):
        try:
            return path, load(path)
        except OSError as error:
            log.warning("%s; falling back to the checkpoint before", error)
    return None


def remove_leftovers(folder: Path) -> None:
    """Deletes what killed saves left behind."""
    for path in folder.glob("*.tmp-*"):
        with contextlib.suppress(OSError):
            path.unlink()


def fingerprint(state_dict: dict[str, Tensor]) -> str:
    """sha256 over names, shapes, types and bytes of the weights: equal bits, equal hash."""
    digest = hashlib.sha256()
    for name, tensor in _sorted(state_dict):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _sorted(state_dict: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    return iter(sorted(state_dict.items()))
