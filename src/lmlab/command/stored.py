"""A run's configuration as it was stored, with the keys that its parts have been given since."""

from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict

from lmlab import config as configuration
from lmlab.tree import groups


def stored(path: Path) -> DictConfig:
    """Runs from before a key existed are read with its default, which is what they were trained with."""
    config = configuration.stored(path)
    _complete(config, groups())
    return config


def _complete(block: DictConfig, known: dict[str, dict[str, Path]]) -> None:
    for key, target in list(block.items()):
        if isinstance(target, DictConfig):
            _complete(target, known)
        elif key == "_target_" and str(target).startswith("lmlab."):
            *group, option = str(target).split(".")[1:-1]
            _fill(block, "/".join(group), option, known)


def _fill(block: DictConfig, group: str, option: str, known: dict[str, dict[str, Path]]) -> None:
    path = known.get(group, {}).get(option)
    missing = set() if path is None else _keys(path, group) - set(block)
    if path is None or not missing:
        return
    if group == "task":  # its file sets defaults of other groups as well
        values = yaml.safe_load(path.read_text(encoding="utf-8"))["task"]
    else:
        values = OmegaConf.to_container(configuration.option(group, option))
    with open_dict(block):
        for key in missing & set(values):
            block[key] = values[key]


def _keys(path: Path, group: str) -> set[str]:
    """What the option's own file says, and the parts of which it is made."""
    content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    if group == "task":
        content = content["task"]
    parts = [entry for entry in content.get("defaults", []) if isinstance(entry, dict)]
    names = {name.partition("@")[2] or name.rpartition("/")[2] for entry in parts for name in entry}
    return {key for key in content if not key.startswith("_") and key not in ("defaults", "brings")} | names
