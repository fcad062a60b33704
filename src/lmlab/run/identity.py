"""What makes two runs the same run: a hash of composed config and data, without what cannot change the result."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

EXCLUDED = (
    "logger",
    "launcher",
    "cluster",
    "sweep",  # how jobs are chosen and counted; what a job computes stands in its own keys
    "output_dir",
    "project",
    "name",
    "tags",
    "cache_dir",
    "fresh",
    "progress",
    "displays",
    "expected",
    "checkpoint",
    "batch.num_workers",
    "trainer.log_every",
    "data.path",  # the content is in the fingerprint, wherever it lies
    "data.root",
    "task.evaluation",  # where the word sets lie that are measured
)
"""Dotted keys, with all below them, that do not take part."""

LENGTH = 32


def identity(config: Mapping[str, Any], fingerprint: str) -> str:
    """A hash of the resolved plain config and the data's fingerprint: equal for commands with equal results."""
    kept = _without(config, frozenset(EXCLUDED), prefix="")
    content = json.dumps([kept, fingerprint], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:LENGTH]


def _without(value: Any, excluded: frozenset[str], prefix: str) -> Any:
    """The value without excluded keys, and with keys in an order of their own: that of typing does not count."""
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: (str(key), type(key).__name__))
        kept = [key for key in keys if f"{prefix}{key}" not in excluded]
        return [[key, _without(value[key], excluded, f"{prefix}{key}.")] for key in kept]
    if isinstance(value, (list, tuple)):
        return ["list", *(_without(item, excluded, f"{prefix}[].") for item in value)]
    assert value is None or isinstance(value, (str, int, float)), f"{prefix[:-1]} is no plain value: {value!r}"
    return value
