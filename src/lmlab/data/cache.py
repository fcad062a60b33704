"""Where lmlab keeps what it can make again: parsed text, hashes, token arrays."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(configured: str | None) -> Path:
    """The folder that was configured, else `LMLAB_CACHE`, else `lmlab` in the user's cache folder."""
    chosen = configured or os.environ.get("LMLAB_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lmlab"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that other processes see either not at all or whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)
