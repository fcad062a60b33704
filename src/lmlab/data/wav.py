"""Samples of a wav file: PCM of 8, 16, 24 or 32 bits or floats, any number of channels, of which the mean is taken."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmlab.data.found import Fault

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
"""WAVE_FORMAT_ tags; an extensible one has the tag that it stands for in the first two bytes of its subformat."""

BITS = {PCM: (8, 16, 24, 32), FLOAT: (32, 64)}

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Header:
    """What a wav file says of its samples."""

    tag: int
    channels: int
    rate: int
    bits: int
    start: int
    """Where the samples start in the file."""
    frames: int
    """Samples of each channel."""


def read_header(path: Path) -> Header:
    """The header of a file whose samples are all there.

    Raises:
        Fault: for what is empty, cut off, or no wav file that can be read.
    """
    with path.open("rb") as file:
        start = file.read(12)
        if not start:
            raise Fault("is empty", "record it again")
        if len(start) < 12 or start[:4] != b"RIFF" or start[8:] != b"WAVE":
            raise Fault("is no wav file", "write it as PCM, RIFF/WAVE")
        size, about = path.stat().st_size, None
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"fmt ":
                about = _format(file.read(length))
            elif name == b"data":
                return _whole(about, file.tell(), length, size)
            else:
                file.seek(length, 1)
            file.seek(length % 2, 1)
    raise Fault("ends before its samples", "record or copy it again")


def _format(content: bytes) -> tuple[int, int, int, int]:
    if len(content) < 16:
        raise Fault("ends before its samples", "record or copy it again")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if tag == EXTENSIBLE and len(content) >= 26:
        tag = struct.unpack("<H", content[24:26])[0]
    if tag not in BITS or bits not in BITS[tag]:
        raise Fault(f"is coded in a way that is not read (format {tag} of {bits} bits)", "write it as 16-bit PCM")
    if not channels or not rate:
        raise Fault(f"has {channels} channels of {rate} samples a second", "write it as 16-bit PCM")
    return tag, channels, rate, bits


def _whole(about: tuple[int, int, int, int] | None, start: int, length: int, size: int) -> Header:
    if about is None:
        raise Fault("does not say how its samples are coded", "write it as 16-bit PCM")
    tag, channels, rate, bits = about
    if length in (0, 2**32 - 1) and size > start:  # a recorder that wrote to a pipe could not go back to fill it in
        length = size - start
    if start + length > size:
        raise Fault(f"is cut off: {size - start:,} of {length:,} bytes are there", "copy it again")
    frames = length // (channels * bits // 8)
    if not frames:
        raise Fault("has no samples", "record it again")
    return Header(tag, channels, rate, bits, start, frames)


def read_wav(path: Path) -> tuple[Array, int]:
    """Samples float32 [time], PCM over its largest value so that they are within -1 and 1, and how many a second."""
    header = read_header(path)
    width = header.bits // 8
    with path.open("rb") as file:
        file.seek(header.start)
        content = file.read(header.frames * header.channels * width)
    samples = _samples(content, header).reshape(header.frames, header.channels).mean(axis=1, dtype=np.float64)
    if not np.isfinite(samples).all():
        raise Fault("has samples that are no numbers", "record it again")
    return samples.astype(np.float32), header.rate


def _samples(content: bytes, header: Header) -> Array:
    if header.tag == FLOAT:
        return np.frombuffer(content, f"<f{header.bits // 8}")
    if header.bits == 8:  # without a sign, alone of all
        return (np.frombuffer(content, np.uint8).astype(np.float32) - 128) / 128
    if header.bits == 24:
        whole = np.zeros((len(content) // 3, 4), np.uint8)
        whole[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        return whole.view("<i4").reshape(-1) / 2.0**31
    return np.frombuffer(content, f"<i{header.bits // 8}") / 2.0 ** (header.bits - 1)
