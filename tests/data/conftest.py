"""What tests of recordings write."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def write_wav() -> Callable[..., Path]:
    """A tone as a 16-bit wav file."""

    def write(path: Path, *, hertz: float = 440.0, rate: int = 8000, seconds: float = 0.2) -> Path:
        samples = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)
        content = (samples * 32767).astype("<i2").tobytes()
        header = b"RIFF" + struct.pack("<I", 36 + len(content)) + b"WAVEfmt " + struct.pack("<I", 16)
        header += struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16) + b"data" + struct.pack("<I", len(content))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(header + content)
        return path

    return write
