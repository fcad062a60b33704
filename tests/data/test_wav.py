"""Wav files of every width, and what is wrong with others."""

import struct

import numpy as np
import pytest

from lmlab.data.found import Fault
from lmlab.data.wav import EXTENSIBLE, FLOAT, PCM, read_header, read_wav

SIGNAL = np.array([0.0, 0.5, -0.5, 0.25, -1.0, 0.75])


def coded(signal, bits, tag):
    """Samples as a wav file has them."""
    if tag == FLOAT:
        return signal.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return (signal * 128 + 128).astype(np.uint8).tobytes()
    whole = np.clip(signal * 2.0 ** (bits - 1), None, 2.0 ** (bits - 1) - 1).astype(np.int64)
    return b"".join(int(one).to_bytes(bits // 8, "little", signed=True) for one in whole)


def wav(signal=SIGNAL, *, bits=16, tag=PCM, channels=1, rate=8000, extensible=False, before=b"", length=None):
    content = coded(np.repeat(signal, channels) if signal.ndim == 1 else signal.ravel(), bits, tag)
    width = bits // 8
    format = struct.pack(
        "<HHIIHH", EXTENSIBLE if extensible else tag, channels, rate, rate * channels * width, channels * width, bits
    )
    if extensible:
        format += struct.pack("<HHIH", 22, bits, 0, tag) + bytes(14)
    chunks = b"fmt " + struct.pack("<I", len(format)) + format + before
    chunks += b"data" + struct.pack("<I", len(content) if length is None else length) + content
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("bits", "tag"), [(8, PCM), (16, PCM), (24, PCM), (32, PCM), (32, FLOAT), (64, FLOAT)])
def test_samples_of_every_width_are_the_same(tmp_path, bits, tag, extensible):
    path = tmp_path / "one.wav"
    path.write_bytes(wav(bits=bits, tag=tag, extensible=extensible, rate=11025))
    samples, rate = read_wav(path)
    assert (rate, samples.dtype) == (11025, np.float32)
    np.testing.assert_allclose(samples, SIGNAL, atol=2.0 ** (2 - bits) if tag == PCM else 0)


def test_channels_are_averaged(tmp_path):
    path = tmp_path / "two.wav"
    path.write_bytes(wav(np.array([[0.5, 0.0], [0.25, 0.75]]), channels=2))
    np.testing.assert_allclose(read_wav(path)[0], [0.25, 0.5])


def test_other_chunks_are_passed_over_and_an_odd_one_is_filled_up(tmp_path):
    path = tmp_path / "chunks.wav"
    path.write_bytes(wav(before=b"LIST" + struct.pack("<I", 3) + b"abc\0"))
    np.testing.assert_allclose(read_wav(path)[0], SIGNAL)


@pytest.mark.parametrize("length", [0, 2**32 - 1])
def test_a_length_that_a_pipe_left_open_is_that_of_the_file(tmp_path, length):
    path = tmp_path / "pipe.wav"
    path.write_bytes(wav(length=length))
    np.testing.assert_allclose(read_wav(path)[0], SIGNAL)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"fLaC" + bytes(60), "is no wav file"),
        (wav()[:-3], "is cut off: 9 of 12 bytes"),
        (wav()[:40], "ends before its samples"),
        (wav()[:30], "ends before its samples"),
        (wav(np.zeros(0)), "has no samples"),
        (wav(tag=7, bits=16), "is coded in a way that is not read"),
        (b"RIFF" + bytes(4) + b"WAVE" + b"data" + struct.pack("<I", 2) + b"ab", "does not say how"),
    ],
)
def test_what_cannot_be_read_is_a_fault(tmp_path, content, said):
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(Fault, match=said):
        read_header(path)


def test_samples_that_are_no_numbers_are_a_fault(tmp_path):
    path = tmp_path / "nan.wav"
    path.write_bytes(wav(np.array([0.0, np.nan]), bits=32, tag=FLOAT))
    with pytest.raises(Fault, match="no numbers"):
        read_wav(path)
