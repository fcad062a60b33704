"""What differs between two runs: config, code, data, packages, threads, hardware, and the results."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlab.report.figure import figure
from lmlab.report.record import Record, flat

NOT_RESULTS = ("status", "seconds", "tokens_per_second", "memory_gb", "reason", "weights_sha256")


@dataclass(frozen=True)
class Change:
    """One key with two values; None where a run has no such key."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Difference:
    """All changes from run a to run b, by what they are of."""

    a: str
    b: str
    config: Sequence[Change]
    code: Sequence[Change]
    data: Sequence[Change]
    packages: Sequence[Change]
    machine: Sequence[Change]
    """Threads, Python, platform, processor, GPUs."""
    results: Sequence[Change]
    weights: bool | None
    """Whether the weights are the same bits; None where a run did not say."""

    @property
    def is_repetition(self) -> bool:
        """Whether the results are the same, to the last bit where weights are known."""
        return not self.results and self.weights is not False


def difference(a: Record, b: Record) -> Difference:
    """Compare two runs by what their folders hold."""
    first, second = a.environment, b.environment
    return Difference(
        a=a.id,
        b=b.id,
        config=_changes(flat(a.config), flat(b.config)),
        code=_changes(_code(a), _code(b)),
        data=_changes({"fingerprint": a.fingerprint}, {"fingerprint": b.fingerprint}),
        packages=_changes(first.get("packages", {}), second.get("packages", {})),
        machine=_changes(_machine(first), _machine(second)),
        results=_changes(_results(a.summary), _results(b.summary)),
        weights=_same_weights(a.summary, b.summary),
    )


def text(difference: Difference) -> str:
    """One line per change, under the heading of what it is of; what is the same is said in one line at the end."""
    parts = {
        "config": difference.config,
        "code": difference.code,
        "data": difference.data,
        "packages": difference.packages,
        "machine": difference.machine,
        "results": difference.results,
    }
    lines = [f"{difference.a} -> {difference.b}"]
    for heading, changes in parts.items():
        if changes:
            lines += ["", heading, *_aligned(changes)]
    same = [heading for heading, changes in parts.items() if not changes]
    lines += ["", *([f"the same: {', '.join(same)}"] if same else []), *_on_weights(difference.weights)]
    return "\n".join(lines) + "\n"


def _aligned(changes: Sequence[Change]) -> Iterator[str]:
    width = max(len(change.key) for change in changes)
    for change in changes:
        yield f"  {change.key:<{width}}  {_shown(change.a)} -> {_shown(change.b)}{_by(change)}"


def _shown(value: Any) -> str:
    return "(none)" if value is None else repr(value) if isinstance(value, (float, list, dict)) else str(value)


def _by(change: Change) -> str:
    """By how much a figure changed."""
    if isinstance(change.a, float) and isinstance(change.b, float):
        sign = "+" if change.b > change.a else ""
        return f"  ({sign}{figure(change.b - change.a)})"
    return ""


def _on_weights(weights: bool | None) -> list[str]:
    return [] if weights is None else [f"the weights are {'the same bits' if weights else 'different'}"]


def _changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Change]:
    keys = list(dict.fromkeys([*a, *b]))
    return [Change(key, a.get(key), b.get(key)) for key in keys if not _equal(a.get(key), b.get(key))]


def _equal(a: Any, b: Any) -> bool:
    return bool(a == b) or (isinstance(a, float) and isinstance(b, float) and a != a and b != b)  # NaN is NaN here


def _code(run: Record) -> dict[str, Any]:
    """Commits by checkout, and the changes against them; folders of equal name are the same checkout elsewhere."""
    found: dict[str, Any] = {}
    for code in run.environment.get("code", []):
        name = Path(code.get("folder", "")).name
        found[f"{name}: commit"] = code.get("commit")
        found[f"{name}: changed"] = code.get("is_changed")
    changes = _diff(run)
    return {**found, "code.diff": f"{len(changes)} lines, {_hash(changes)}" if changes else "none"}


def _diff(run: Record) -> list[str]:
    path = run.path / "code.diff"
    content = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return [line for line in content.splitlines() if not line.startswith("# ")]


def _hash(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


def _machine(environment: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: environment[key] for key in ("threads", "python", "platform", "host") if key in environment}
    return {**kept, **flat(environment.get("hardware", {})), **flat(environment.get("variables", {}))}


def _results(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flat(summary).items() if key not in NOT_RESULTS}


def _same_weights(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool | None:
    first, second = a.get("weights_sha256"), b.get("weights_sha256")
    return None if first is None or second is None else bool(first == second)
