"""Runs as the report sees them, made without training."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lmlab.report.job import Job


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


@pytest.fixture
def make_job(tmp_path):
    """A done job with its run; `loss=None`: it has no figures."""

    def job(number, varied, seed, loss=1.0, state="done", **more):
        path = tmp_path / "jobs" / f"r{number}"
        figures = {} if loss is None else {"val/loss": loss, **more.pop("summary", {})}
        run = None if state == "queued" else Run(path, id=f"r{number}", summary=figures, **more)
        return Job(number, varied, seed, state, run)

    return job


@pytest.fixture
def make_sweep(make_job):
    """Jobs from {configuration: losses by seed 1, 2, ...}, configurations being tuples of the keys' values."""

    def sweep(keys, losses, **more):
        pairs = [(values, seed, loss) for values, row in losses.items() for seed, loss in enumerate(row, start=1)]
        return [
            make_job(number, dict(zip(keys, values)), seed, loss, **more)
            for number, (values, seed, loss) in enumerate(pairs)
        ]

    return sweep
