"""A run is a folder: config, overrides, provenance, metrics, samples, checkpoints; enough to repeat and report it.

config.yaml        the composed config            metrics.jsonl    every metric by step, the record of truth
overrides.yaml     what the user typed            summary.json     status and final figures
run.json           id, identity, name
environment.json   code, packages, hardware       samples/         what the model wrote, by step
code.diff          changes against the commit     checkpoints/     best, last
log.txt            what the run said              report.html      all of it on one page
examples/          statistics of the last evaluation by example, val.npz and test.npz
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from lmlab.run import json_file, lock, metrics_log
from lmlab.types import Examples

Status = Literal["running", "finished", "failed", "stopped", "unfinished"]

MANIFEST = "run.json"
"""Written last when a run is made: a folder without it is no run yet."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; its files are read when they are asked for."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What was fixed when the run was made: id, identity, project, name, created, overrides, fingerprint."""
        return json_file.read(self.path / MANIFEST)

    @property
    def identity(self) -> str:
        return str(self.manifest.get("identity", ""))

    @property
    def project(self) -> str:
        return str(self.manifest.get("project", self.path.parent.name))

    @property
    def name(self) -> str:
        return str(self.manifest.get("name") or "")

    @property
    def created(self) -> str:
        """UTC, ISO 8601."""
        return str(self.manifest.get("created", ""))

    @property
    def overrides(self) -> list[str]:
        """What the user typed after `lmlab train`."""
        return list(self.manifest.get("overrides", []))

    @property
    def fingerprint(self) -> str:
        """The hash of the data's content."""
        return str(self.manifest.get("fingerprint", ""))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The composed config, resolved and plain."""
        try:
            content = (self.path / "config.yaml").read_bytes()
        except FileNotFoundError:
            return {}
        config = yaml.load(content, Loader=_Loader)
        return config if isinstance(config, dict) else {}

    @property
    def environment(self) -> dict[str, Any]:
        """Code, packages and hardware of the last start."""
        return json_file.read(self.path / "environment.json")

    @property
    def summary(self) -> dict[str, Any]:
        """Status and final figures."""
        return json_file.read(self.path / "summary.json")

    @property
    def status(self) -> Status:
        """What became of the run; `unfinished` if it was killed, so that nobody could write what became of it."""
        if self.holder is not None:
            return "running"
        status = self.summary.get("status")
        return status if status in ("finished", "failed", "stopped") else "unfinished"

    @property
    def holder(self) -> lock.Holder | None:
        """The living process that trains here."""
        return lock.holder(self.path)

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    @property
    def report_path(self) -> Path:
        return self.path / "report.html"

    @property
    def diff_path(self) -> Path:
        return self.path / "code.diff"

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return metrics_log.read(self.metrics_path)

    def texts(self) -> dict[str, str]:
        """The samples by file name without ending, in order of step, `final` last."""
        paths = sorted(self.samples.glob("*.txt"), key=lambda path: (path.stem == "final", path.stem))
        return {path.stem: path.read_text(encoding="utf-8", errors="replace") for path in paths}

    def write_text(self, name: str, text: str) -> Path:
        """Write one sample, `samples/NAME.txt`."""
        self.samples.mkdir(exist_ok=True)
        json_file.write_text(self.samples / f"{name}.txt", text)
        return self.samples / f"{name}.txt"

    def examples(self, split: str) -> Examples | None:
        """The statistics of the last evaluation by example; None where the run kept none."""
        from lmlab.run import example_file  # NumPy, which most commands do without

        return example_file.read(self.path / "examples" / f"{split}.npz")

    def write_examples(self, split: str, examples: Examples | None) -> None:
        """Replace `examples/SPLIT.npz`, or remove it."""
        from lmlab.run import example_file

        path = self.path / "examples" / f"{split}.npz"
        if examples is None:
            path.unlink(missing_ok=True)
        else:
            example_file.write(path, examples)

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.yaml, keys in the order of the composition."""
        text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        json_file.write_text(self.path / "config.yaml", text)

    def write_overrides(self, overrides: Sequence[str]) -> None:
        """Write overrides.yaml, what the user typed."""
        json_file.write_text(self.path / "overrides.yaml", yaml.safe_dump(list(overrides), allow_unicode=True))

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write run.json, which makes the folder a run."""
        json_file.write(self.path / MANIFEST, manifest)

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Write environment.json."""
        json_file.write(self.path / "environment.json", environment)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace summary.json."""
        json_file.write(self.path / "summary.json", summary)


def is_run(path: Path) -> bool:
    """Whether the folder holds a run that was completely made."""
    return (path / MANIFEST).is_file()
