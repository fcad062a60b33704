"""Runs as the report sees them, made without training."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Run:
    path: Path
    id: str = "20261123-171530-k3f9"
    name: str = ""
    project: str = "p"
    created: str = "2026-11-23T17:15:30+00:00"
    status: str = "finished"
    overrides: list = field(default_factory=list)
    fingerprint: str = "f"
    config: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    summary: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)
    samples: dict = field(default_factory=dict)

    def metrics(self) -> list[dict[str, Any]]:
        return self.lines

    def texts(self) -> dict[str, str]:
        return self.samples


@pytest.fixture
def make_run(tmp_path):
    return lambda **changes: Run(**{"path": tmp_path, **changes})
