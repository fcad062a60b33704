"""Logarithms of the energies of a recording in bands of equal width on the mel scale (Davis and Mermelstein 1980).

The mel scale is 2595 log10(1 + f / 700) (O'Shaughnessy 1987), as in HTK and Kaldi; the bands are triangles in Hz whose
peaks are 1, as in torchaudio with mel_scale="htk" and norm=None. There is no pre-emphasis, dither or padding at the ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from lmlab.types import Mistake

FLOOR = 1e-10
"""Least energy, so that silence has a logarithm."""

BLOCK = 4096
"""Frames that are computed at a time."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """Samples -> log energies; one frame for each `hop`, of a Hann window around it.

    Args:
        sample_rate: samples a second.
        num_mels: bands; None: 40 up to 8,000 samples a second, 80 above.
        window: milliseconds of a frame; the Fourier transform's size is the next power of 2.
        hop: milliseconds from frame to frame.
        lowest: Hz where the first band begins.
        highest: Hz where the last band ends; None: half the samples a second.
    """

    sample_rate: int
    num_mels: int | None
    window: float
    hop: float
    lowest: float
    highest: float | None

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window:
            raise Mistake(
                f"features.hop={self.hop} is not above 0 and up to features.window={self.window}; set it to 10"
            )
        top = self.highest or self.sample_rate / 2
        if not 0 <= self.lowest < top <= self.sample_rate / 2:
            raise Mistake(
                f"features.lowest={self.lowest} and features.highest={self.highest} are no band of what {self.sample_rate} "
                f"samples a second hold; set them to 20 and null"
            )
        if (
            self.num_features < 1
            or not filters(self.sample_rate, self.size, self.num_features, self.lowest, top).any(1).all()
        ):
            raise Mistake(
                f"features.num_mels={self.num_mels} makes bands that are narrower than what a window of {self.window} ms tells "
                "apart; set features.num_mels lower, such as 40, or features.window higher"
            )

    @property
    def num_features(self) -> int:
        """Of a frame."""
        return (40 if self.sample_rate <= 8000 else 80) if self.num_mels is None else self.num_mels

    @property
    def samples(self) -> int:
        """Of a window."""
        return round(self.sample_rate * self.window / 1000)

    @property
    def step(self) -> int:
        """Samples from frame to frame."""
        return max(1, round(self.sample_rate * self.hop / 1000))

    @property
    def size(self) -> int:
        """Of the Fourier transform."""
        return 1 << (self.samples - 1).bit_length()

    def __call__(self, samples: Float[np.ndarray, "time"]) -> Float[np.ndarray, "frames features"]:
        """At least one frame: a recording shorter than a window is followed by zeros."""
        whole = np.pad(samples.astype(np.float64), (0, max(0, self.samples - len(samples))))
        frames = np.lib.stride_tricks.sliding_window_view(whole, self.samples)[:: self.step]
        blocks = [self._block(frames[first : first + BLOCK]) for first in range(0, len(frames), BLOCK)]
        return np.concatenate(blocks)

    def _block(self, frames: Array) -> Array:
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.samples) / self.samples)
        power = np.abs(np.fft.rfft(frames * window, self.size)) ** 2
        top = self.highest or self.sample_rate / 2
        bands = filters(self.sample_rate, self.size, self.num_features, self.lowest, top)
        energies: Array = np.log(np.maximum(power @ bands.T, FLOOR)).astype(np.float32)
        return energies


@lru_cache(maxsize=8)
def filters(sample_rate: int, size: int, number: int, lowest: float, highest: float) -> Array:
    """The weight of every frequency in every band, [band, frequency]: triangles between neighbouring centres."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (lowest, highest))
    corners = 700 * (10 ** (np.linspace(low, high, number + 2) / 2595) - 1)
    frequencies = np.arange(size // 2 + 1) * sample_rate / size
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequencies - left) / (centre - left), (right - frequencies) / (right - centre)
    found: Array = np.maximum(0, np.minimum(rising, falling))
    found.flags.writeable = False
    return found
