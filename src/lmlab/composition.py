"""Composing in a third of the time that hydra.compose takes; the one place that leans on Hydra's inner parts.

Hydra is pinned below its next minor version, and tests/test_config.py holds this against what hydra.compose returns.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf


def without_hydra(config_name: str | None, overrides: Sequence[Override]) -> DictConfig:
    """What hydra.compose returns, without Hydra's own node, which it composes as well, throws away and has no switch for."""
    loader: Any = GlobalHydra.instance().config_loader()
    _, repository = loader._parse_overrides_and_create_caching_repo(config_name, [])  # knows a page's own search path
    chosen = create_defaults_list(
        repo=repository, config_name=config_name, overrides_list=[*overrides], prepend_hydra=False, skip_missing=False
    )
    composed: DictConfig = loader._compose_config_from_defaults_list(defaults=chosen.defaults, repo=repository)
    composed.pop("hydra", None)  # a page may have settings of it
    OmegaConf.set_struct(composed, True)
    loader._apply_overrides_to_config(chosen.config_overrides, composed)
    return composed


class Files(ConfigRepository):
    """Where Hydra finds its pages; a file that stays what it is is read once by a process."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None or source.scheme() != "file":
            return super().load_config(config_path)
        path = Path(source.path, f"{config_path.removesuffix('.yaml')}.yaml")
        state = path.stat()
        key = (source.provider, path, state.st_mtime_ns, state.st_size, state.st_ino)
        if key not in _READ:
            _READ[key] = super().load_config(config_path)
        found = copy.copy(_READ[key])
        if found is not None:
            found.config = copy.deepcopy(found.config)  # what is composed takes its nodes over and changes them
        return found


_READ: dict[tuple[object, ...], ConfigResult | None] = {}
