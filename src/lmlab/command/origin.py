"""Where each value of a composed configuration comes from: a file, the command line, or the machine."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from lmlab import config as configuration
from lmlab import tree


def origins(overrides: Sequence[str]) -> dict[str, str]:
    """Dotted key -> the file or override that set it last."""
    with configuration.entered():
        loader = GlobalHydra.instance().config_loader()
        parsed = configuration.parse([configuration.quoted(override) for override in overrides])
        brought = configuration.brought(parsed, tree.groups())
        lines = [override.input_line or "" for override in (*brought, *parsed)]
        composed = loader.compute_defaults_list("train", lines, RunMode.RUN)
    found: dict[str, str] = {}
    for default in composed.defaults:
        path = located(default.config_path)
        if path is not None:
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            package = "" if default.package in (None, "", "_global_") else f"{default.package}."
            found.update((f"{package}{key}", shown(path)) for key in leaves(values) if key.split(".")[0] != "defaults")
    for override in (*brought, *parsed):
        if override.key_or_group not in tree.groups():
            found[override.key_or_group] = "command line" if override in parsed else "brought by the model"
    return found


def located(config_path: str | None) -> Path | None:
    """The file of a config of the defaults list."""
    candidates = [root / f"{config_path}.yaml" for root in tree.roots()]
    return next((path for path in candidates if path.is_file()), None)


def shown(path: Path) -> str:
    """A file as one would name it: below the folder that holds conf/ or experiments/."""
    root = next(root for root in tree.roots() if path.is_relative_to(root))
    return path.relative_to(root.parent).as_posix()


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of all values."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
