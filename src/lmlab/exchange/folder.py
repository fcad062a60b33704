"""A folder in Hugging Face's format: config.json beside model.safetensors, whole or in shards that an index names."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lmlab.types import Mistake

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"


class Folder:
    """What stands in it; nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The content of config.json."""
        if not (self.path / CONFIG).is_file():
            raise Mistake(f"{self.path} has no {CONFIG}, which says what model it holds; name the folder that has it")
        return _json(self.path / CONFIG)

    @cached_property
    def files(self) -> dict[str, Path]:
        """The file of each tensor."""
        if (self.path / WEIGHTS).is_file():
            return dict.fromkeys(_names(self.path / WEIGHTS), self.path / WEIGHTS)
        if not (self.path / INDEX).is_file():
            raise Mistake(self._without_weights())
        index = _json(self.path / INDEX).get("weight_map", {})
        lost = sorted({name for name in index.values() if not (self.path / name).is_file()})
        if lost:
            raise Mistake(f"{self.path} lacks {', '.join(lost[:3])}, which its {INDEX} names; fetch what is missing")
        held = {name: set(_names(self.path / name)) for name in set(index.values())}
        if absent := [tensor for tensor, name in index.items() if tensor not in held[name]]:
            raise Mistake(f"{self.path / index[absent[0]]} lacks {absent[0]}, which its index names; fetch it again")
        return {tensor: self.path / name for tensor, name in index.items()}

    def _without_weights(self) -> str:
        if list(self.path.glob("pytorch_model*.bin")):
            return (
                f"{self.path} has its weights in pytorch_model.bin alone, a pickle, which can run any code; convert it with "
                f"safetensors: transformers' save_pretrained writes {WEIGHTS}"
            )
        return f"{self.path} has no {WEIGHTS} and no {INDEX}; name a folder that has the weights"

    def tensors(self, device: torch.device) -> dict[str, Tensor]:
        """All tensors by name; on the meta device their shapes alone, and nothing is read."""
        found = {}
        for path in dict.fromkeys(self.files.values()):
            with safe_open(path, "pt") as file:
                for name in file.keys():  # noqa: SIM118 - no mapping
                    if self.files.get(name) == path:
                        found[name] = _shape(file, name) if device.type == "meta" else file.get_tensor(name)
        return found


def write(
    path: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    about: Mapping[str, str],
    texts: Mapping[str, str],
) -> None:
    """Each file beside its name first, so that none is ever half there; the weights last.

    Args:
        about: what the weights' file says of itself.
        texts: further files, by name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name, text in {CONFIG: json.dumps(config, indent=2) + "\n", **texts}.items():
            replace_text(path / name, text)
        beside = path / f"{WEIGHTS}.tmp"
        try:
            whole = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
            save_file(whole, beside, metadata={"format": "pt", **about})
            beside.replace(path / WEIGHTS)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Mistake(f"path={path} cannot be written ({reason}); set path to another folder") from error


def replace_text(path: Path, text: str) -> None:
    """A text in place of what stood there, at once."""
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Mistake(f"{path} is no JSON ({error}); fetch it again") from error
    if not isinstance(found, dict):
        raise Mistake(f"{path} holds no mapping; fetch it again")
    return found


def _names(path: Path) -> Iterator[str]:
    try:
        with safe_open(path, "pt") as file:
            yield from file.keys()
    except (SafetensorError, OSError) as error:
        raise Mistake(f"{path} is damaged or cut off ({error}); fetch it again") from error


def _shape(file: Any, name: str) -> Tensor:
    return torch.empty(file.get_slice(name).get_shape(), device="meta")
