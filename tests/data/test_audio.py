"""Recordings at another rate, and formats that a package reads."""

import sys

import numpy as np
import pytest

from lmlab.data.audio import kept_by, read_audio, resampled
from lmlab.types import Mistake


def loudest(samples, rate):
    """The frequency of a tone, from its spectrum."""
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * rate / len(samples)


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 8000), (8000, 16000), (22050, 16000), (16000, 16000)])
def test_a_tone_keeps_its_frequency_length_and_loudness_at_another_rate(write_wav, tmp_path, rate, wanted):
    path = write_wav(tmp_path / "tone.wav", hertz=1000.0, rate=rate, seconds=0.5)
    samples = read_audio(path, wanted)
    assert kept_by(path) == (rate, 1)
    assert samples.dtype == np.float32
    assert abs(len(samples) / wanted - 0.5) < 1e-3
    assert abs(loudest(samples, wanted) - 1000) <= wanted / len(samples)
    assert abs(np.sqrt(2 * np.mean(samples[200:-200] ** 2)) - 0.5) < 0.01


def test_what_the_lower_rate_cannot_hold_is_filtered_out():
    high = np.sin(2 * np.pi * 6000 * np.arange(16000) / 16000).astype(np.float32)
    assert np.abs(resampled(high, 16000, 8000)[100:-100]).max() < 0.01


def test_flac_without_its_package_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    path = tmp_path / "one.flac"
    path.write_bytes(b"fLaC")
    with pytest.raises(Mistake, match=r"one\.flac is no \.wav file, .* pip install"):
        kept_by(path)
