"""Recordings as samples of one rate, whatever the file: wav is read here, all else (flac, ogg, mp3) by the soundfile package."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lmlab.data.found import Fault
from lmlab.data.wav import read_header, read_wav
from lmlab.types import Mistake

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
"""Of files that are taken for recordings."""

Array = np.ndarray[Any, np.dtype[Any]]


class Kept(NamedTuple):
    """How a file keeps its samples."""

    rate: int
    """A second."""
    channels: int


def kept_by(path: Path) -> Kept:
    """Of a file that is there and whole as far as its header tells.

    Raises:
        Fault: for one that is not.
    """
    if not path.is_file():
        raise Fault("is no file" if path.exists() else "does not exist", "correct its name, or put it there")
    try:
        if path.suffix.lower() == ".wav":
            header = read_header(path)
            return Kept(header.rate, header.channels)
        about = _soundfile(path).info(str(path))
    except PermissionError:
        raise Fault("may not be read by you", "change its permissions") from None
    except RuntimeError as error:
        raise Fault(f"cannot be read ({error})", "write it as wav or flac") from None
    if not about.frames:
        raise Fault("has no samples", "record it again")
    return Kept(int(about.samplerate), int(about.channels))


def read_audio(path: Path, sample_rate: int) -> Array:
    """Samples float32 [time], the mean of the channels, brought to a rate.

    Raises:
        Fault: for a file that cannot be read.
    """
    if path.suffix.lower() == ".wav":
        samples, rate = read_wav(path)
    else:
        try:
            channels, rate = _soundfile(path).read(str(path), dtype="float32", always_2d=True)
        except RuntimeError as error:
            raise Fault(f"cannot be read ({error})", "write it as wav or flac") from None
        samples = channels.mean(axis=1)
    return resampled(samples, rate, sample_rate)


def resampled(samples: Array, rate: int, wanted: int) -> Array:
    """The same signal at another rate, what is above half of the lower one filtered out (scipy's polyphase filter)."""
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    found: Array = resample_poly(samples.astype(np.float64), wanted // common, rate // common).astype(np.float32)
    return found


def _soundfile(path: Path) -> Any:
    try:
        return importlib.import_module("soundfile")
    except (ImportError, OSError):
        raise Mistake(
            f"{path} is no .wav file, and all others need the soundfile package: pip install 'lmlab[speech]', or pip install "
            "soundfile"
        ) from None
