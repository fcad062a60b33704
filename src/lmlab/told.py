"""What was said of data while a folder of the cache was made of it is said again where the folder is read in its place.

Examples that were left out are not in the folder either, and a run that reads it alone would be silent about them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "told.json"
"""The file that keeps it."""

SPEAKER = "lmlab.data"
"""Whose words are kept."""


class Listening(logging.Handler):
    """Keeps what is said: who, how loud, the words."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append((record.name, record.levelno, record.getMessage()))


class Once(logging.Filter):
    """Lets pass what was not said again already: the same data may be read as well."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.getMessage() not in self.told


ONCE = Once()


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Keeps in a folder what is said meanwhile."""
    listening, speaker = Listening(), logging.getLogger(SPEAKER)
    speaker.addHandler(listening)
    try:
        yield
    finally:
        speaker.removeHandler(listening)
    if listening.heard:
        (folder / NAME).write_text(json.dumps(listening.heard), encoding="utf-8")


def again(folder: Path) -> None:
    """Says it, once in a process."""
    with suppress(FileNotFoundError, ValueError):
        for name, level, message in json.loads((folder / NAME).read_text(encoding="utf-8")):
            speaker = logging.getLogger(name)
            if ONCE not in speaker.filters:
                speaker.addFilter(ONCE)
            speaker.log(level, message)
            ONCE.told.add(message)
