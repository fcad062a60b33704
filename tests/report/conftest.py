"""Runs as the report sees them, made without training."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lmlab.report.job import Job
from lmlab.types import Examples

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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
    by_example: dict = field(default_factory=dict)

    def metrics(self) -> list[dict[str, Any]]:
        return self.lines

    def texts(self) -> dict[str, str]:
        return self.samples

    def examples(self, split: str) -> Examples | None:
        return self.by_example.get(split)


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


@pytest.fixture
def browse(tmp_path):
    """Chromium on a page: browse(path, width, "--dump-dom") -> what it prints."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")

    def run(path, width, action):
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            action,
        ]
        command += [f"--window-size={width},2600", f"--user-data-dir={tmp_path / 'profile'}"]
        command += ["--disable-background-networking", f"file://{path}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    return run


@pytest.fixture
def title_of(tmp_path, browse):
    """The title that a page gives itself by its script."""

    def title(text):
        path = tmp_path / "probe.html"
        path.write_text(f"<!doctype html>{text}", encoding="utf-8")
        return re.search(r"<title>([^<]*)</title>", browse(path, 1300, "--dump-dom"))[1]

    return title


@pytest.fixture
def tags():
    """A page, parsed."""
    return Tags


class Tags(HTMLParser):
    """The tags of a page, those left open, and its text."""

    VOID = ("meta", "br", "hr", "img", "link", "input")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data
