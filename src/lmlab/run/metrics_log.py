"""metrics.jsonl, the record of truth: one JSON object per line, flushed line by line, so that a killed run loses none.

A line holds `step`, `time` (seconds of training) and the metrics by name; see `json_file` for NaN and the infinities.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from lmlab.run import json_file

log = logging.getLogger(__name__)


class MetricsLog:
    """Appends to one run's metrics.jsonl; only the process that holds the run's lock may."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def append(self, *, step: int, time: float | int, metrics: Mapping[str, Any]) -> None:
        """Write one line; it is in the operating system's hands when this returns."""
        assert not {"step", "time"} & metrics.keys(), "`step` and `time` are the line's own"
        if self._file is None:
            self._file = self._opened()
        line = json_file.dumps({"step": step, "time": round(time, 3), **metrics}) + "\n"
        self._file.write(line.encode())
        self._file.flush()

    def cut(self, step: int) -> None:
        """Keep the lines up to `step`: what a resumed run writes next follows its checkpoint."""
        self.close()
        if self.path.exists():
            kept = [text for text, line in _lines(self.path) if line["step"] <= step]
            json_file.write_text(self.path, "".join(f"{text}\n" for text in kept))

    def close(self) -> None:
        """Close the file; the next `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        if self.path.exists() and not _ends_a_line(self.path):  # torn by a kill: the next line must not continue it
            json_file.write_text(self.path, "".join(f"{text}\n" for text, _ in _lines(self.path)))
        return open(self.path, "ab")


def read(path: Path) -> list[dict[str, Any]]:
    """All lines, in order; none where there is no file. A torn last line is left out."""
    return [line for _, line in _lines(path)] if path.exists() else []


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    texts = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, text in enumerate(texts, start=1):
        try:
            line = json_file.loads(text) if text.strip() else None
        except json.JSONDecodeError:
            line = None
            if number < len(texts):  # the last one is only torn; a line before it was damaged later
                log.warning("%s, line %d is no JSON and is left out", path, number)
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            yield text, line


def _ends_a_line(path: Path) -> bool:
    with open(path, "rb") as file:
        if file.seek(0, 2) == 0:
            return True
        file.seek(-1, 2)
        return file.read(1) == b"\n"
