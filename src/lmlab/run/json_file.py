"""JSON that every reader takes, written so that a crash leaves the old file or the new one, never half of one.

JSON has no word for NaN and the infinities; they are written as the strings "NaN", "Infinity", "-Infinity", as the
JSON mapping of Protocol Buffers does (`float("NaN")` in Python and `Number("Infinity")` in JavaScript read them back).
"""

import json
import math
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def dumps(value: Any, *, indent: int | None = None) -> str:
    """One JSON text; numbers of NumPy and PyTorch become plain, paths become strings."""
    return json.dumps(plain(value), allow_nan=False, ensure_ascii=False, indent=indent)


def loads(text: str | bytes) -> Any:
    """The value written by `dumps`, non-finite numbers restored."""
    return _restored(json.loads(text))


def write(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, at once."""
    write_text(path, dumps(value, indent=2) + "\n")


def read(path: Path) -> dict[str, Any]:
    """The object in the file; empty where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    value = loads(content)
    assert isinstance(value, dict), f"{path} holds no JSON object"
    return value


def write_text(path: Path, text: str) -> None:
    """Replace the file by `text`, in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file: temp file beside it, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def plain(value: Any) -> Any:
    """The same value in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value is None or isinstance(value, (str, int, float)):
        return value
    if hasattr(value, "item"):  # a scalar of NumPy or PyTorch
        return plain(value.item())
    return str(value)


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item) for item in value]
    return NON_FINITE.get(value, value) if isinstance(value, str) else value


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems cannot sync a folder; the rename itself is still atomic there
        pass
    finally:
        os.close(descriptor)
