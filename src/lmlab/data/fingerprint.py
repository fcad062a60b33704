"""What a file holds, as a hash: read once, remembered while path, size and time stay the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from lmlab.data.cache import write_whole

REMEMBERED = 2**26
"""Smaller files are read again each time: that is as quick as the cache."""

SAMPLED = 2**31
"""Larger files are known by name, size, time and a sample of blocks."""

BLOCK = 2**20
NUM_BLOCKS = 64


def file_hash(path: Path, cache: Path) -> str:
    """Equal content, equal hash, wherever the file lies; but see SAMPLED."""
    size = path.stat().st_size
    if size > SAMPLED:
        return _sampled(path)
    if size < REMEMBERED:
        return _whole(path)
    note = cache / "fingerprints" / hashlib.sha256(_state(path).encode()).hexdigest()[:32]
    try:
        return note.read_text()
    except OSError:
        found = _whole(path)
    with contextlib.suppress(OSError):  # then it is read again the next time
        write_whole(note, found.encode())
    return found


def _state(path: Path) -> str:
    stat = path.stat()
    return json.dumps([str(path.resolve()), stat.st_size, stat.st_mtime_ns])


def _whole(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sampled(path: Path) -> str:
    stat = path.stat()
    digest = hashlib.sha256(json.dumps([path.name, stat.st_size, stat.st_mtime_ns]).encode())
    with path.open("rb") as file:
        for block in range(NUM_BLOCKS):
            file.seek((stat.st_size - BLOCK) * block // (NUM_BLOCKS - 1))
            digest.update(file.read(BLOCK))
    return digest.hexdigest()
