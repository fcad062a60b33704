"""What a report reads of a run: the run folder, as far as tables and pages know it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lmlab.types import Examples


@runtime_checkable
class Record(Protocol):
    """One run; `lmlab.run.folder.RunFolder` is one."""

    @property
    def path(self) -> Path: ...

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def project(self) -> str: ...

    @property
    def created(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def overrides(self) -> Sequence[str]: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def config(self) -> Mapping[str, Any]: ...

    @property
    def environment(self) -> Mapping[str, Any]: ...

    @property
    def summary(self) -> Mapping[str, Any]: ...

    def metrics(self) -> Sequence[Mapping[str, Any]]: ...

    def texts(self) -> Mapping[str, str]: ...

    def examples(self, split: str) -> Examples | None: ...


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping by dotted keys; an empty mapping is a value of its own."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
