"""Log energies on the mel scale: against sums written out, and what a tone looks like."""

import math

import numpy as np
import pytest

from lmlab.features.log_mel import FLOOR, LogMel, filters
from lmlab.types import Mistake

VALUES = {"num_mels": 7, "window": 25.0, "hop": 10.0, "lowest": 20.0, "highest": None}


def made(sample_rate=8000, **values):
    return LogMel(sample_rate=sample_rate, **VALUES | values)


def slow(samples, *, rate, number, window, hop, size, lowest):
    """The formulas, one sum after another."""
    mels = [2595 * math.log10(1 + hertz / 700) for hertz in (lowest, rate / 2)]
    corners = [
        700 * (10 ** ((mels[0] + place * (mels[1] - mels[0]) / (number + 1)) / 2595) - 1) for place in range(number + 2)
    ]
    found = []
    for start in range(0, len(samples) - window + 1, hop):
        frame = [samples[start + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / window)) for n in range(window)]
        power = []
        for k in range(size // 2 + 1):
            real = sum(value * math.cos(2 * math.pi * k * n / size) for n, value in enumerate(frame))
            imaginary = sum(value * math.sin(2 * math.pi * k * n / size) for n, value in enumerate(frame))
            power.append(real**2 + imaginary**2)
        row = []
        for low, centre, high in zip(corners, corners[1:], corners[2:]):
            energy = 0.0
            for k, value in enumerate(power):
                hertz = k * rate / size
                weight = (hertz - low) / (centre - low) if hertz <= centre else (high - hertz) / (high - centre)
                energy += max(0.0, weight) * value
            row.append(math.log(max(energy, FLOOR)))
        found.append(row)
    return np.array(found)


def test_it_is_what_the_formulas_say():
    samples = np.random.default_rng(0).uniform(-1, 1, 371).astype(np.float32)
    expected = slow(samples, rate=8000, number=7, window=200, hop=80, size=256, lowest=20.0)
    found = made()(samples)
    assert found.shape == (3, 7)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_long_recordings_are_computed_in_blocks_without_a_seam(monkeypatch):
    samples = np.random.default_rng(0).uniform(-1, 1, 2000).astype(np.float32)
    whole = made()(samples)
    monkeypatch.setattr("lmlab.features.log_mel.BLOCK", 5)
    np.testing.assert_allclose(made()(samples), whole, rtol=1e-5)


def test_a_tone_is_loudest_in_its_own_band():
    features = made(sample_rate=16000, num_mels=None)
    assert features.num_features == 80
    bands = filters(16000, 512, 80, 20.0, 8000.0)
    for hertz in (300, 1000, 3000, 7000):
        tone = np.sin(2 * np.pi * hertz * np.arange(1600) / 16000).astype(np.float32)
        loudest = features(tone).mean(axis=0).argmax()
        assert abs(loudest - bands[:, round(hertz / 31.25)].argmax()) <= 1


def test_silence_and_less_than_a_window_are_frames_as_well():
    assert np.allclose(made()(np.zeros(900, np.float32)), math.log(FLOOR))
    assert made()(np.ones(3, np.float32)).shape == (1, 7)
    assert made()(np.zeros(0, np.float32)).shape == (1, 7)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_by_default_every_band_holds_a_frequency(rate):
    assert made(sample_rate=rate, num_mels=None).num_features == (40 if rate == 8000 else 80)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"num_mels": 200}, "features.num_mels=200 makes bands that are narrower"),
        ({"num_mels": 0}, "features.num_mels=0"),
        ({"hop": 30.0}, "features.hop=30.0 is not above 0 and up to features.window=25.0"),
        ({"highest": 5000.0}, "are no band of what 8000 samples a second hold"),
    ],
)
def test_what_cannot_be_computed_is_said(values, said):
    with pytest.raises(Mistake, match=said):
        made(**values)
