"""Short words of tones: each letter is a pitch of its own, as a signal that every machine can make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np

from lmlab.data.recordings import check_rate
from lmlab.examples import Speech
from lmlab.types import Mistake, Split

LETTERS = "abcdefghijklmnop"

LOWEST, HIGHEST = 250.0, 3000.0
"""Hz, of the first and the last letter; the others stand between them at equal ratios."""

LENGTHS = (0.05, 0.1)
"""Seconds of a tone."""

PAUSES = (0.02, 0.04)
"""Seconds of silence around a tone."""

DETUNED = 0.02
"""Largest share by which a recording, like a speaker, is higher or lower than another."""

LOUDNESS = (0.05, 0.5)
"""Of a tone, at its peak."""

VERSION = 1
"""To be raised with every change of what the samples are."""


class Tones:
    """Words of two to `longest` letters; the splits have no word in common.

    Args:
        num_letters: of the alphabet.
        longest: letters of a word.
        num_train, num_val, num_test: recordings of each split, each of another word.
        noise: standard deviation of what is added to each sample, up to this from recording to recording.
        sample_rate: samples a second.
    """

    example = Speech

    def __init__(
        self,
        *,
        num_letters: int,
        longest: int,
        num_train: int,
        num_val: int,
        num_test: int,
        noise: int | float,
        sample_rate: int,
    ) -> None:
        check_rate(sample_rate)
        if not 2 <= num_letters <= len(LETTERS):
            raise Mistake(f"data.num_letters={num_letters} is wrong: expected 2 to {len(LETTERS)}")
        if sample_rate < 2 * HIGHEST * (1 + DETUNED):
            raise Mistake(f"data.sample_rate={sample_rate} is too low for tones of {HIGHEST:.0f} Hz; set it to 8000")
        if min(num_train, num_val) < 1 or num_test < 0 or noise < 0:
            raise Mistake("data.num_train and data.num_val are 1 or more, data.num_test and data.noise 0 or more")
        self._numbers: dict[Split, int] = {"train": num_train, "val": num_val, "test": num_test}
        total, there = sum(self._numbers.values()), sum(num_letters**length for length in range(2, longest + 1))
        if total > there:
            raise Mistake(
                f"{total} recordings of as many words, but {num_letters} letters make {there} of 2 to {longest}; "
                f"set data.longest={longest + 1}, or data.num_train lower"
            )
        self._letters, self._longest, self._noise, self._rate = LETTERS[:num_letters], longest, noise, sample_rate
        ratio = (HIGHEST / LOWEST) ** (1 / (num_letters - 1))
        self._pitch = {letter: LOWEST * ratio**place for place, letter in enumerate(self._letters)}

    def fingerprint(self) -> str:
        content = [VERSION, self._numbers, self._letters, self._longest, self._noise, self._rate]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Speech]:
        for word in self._words[split]:
            yield Speech(word, self._rate, partial(self._samples, word))

    @cached_property
    def _words(self) -> dict[Split, list[str]]:
        """Of all words, in the order of a hash, the first for each split."""
        every = [
            "".join(letters)
            for length in range(2, self._longest + 1)
            for letters in product(self._letters, repeat=length)
        ]
        every.sort(key=lambda word: hashlib.sha256(word.encode()).digest())
        found: dict[Split, list[str]] = {}
        first = 0
        for split, number in self._numbers.items():
            found[split] = every[first : first + number]
            first += number
        return found

    def _samples(self, word: str) -> np.ndarray[Any, np.dtype[Any]]:
        draw = np.random.default_rng(list(word.encode()))
        detuned = 1 + draw.uniform(-DETUNED, DETUNED)
        parts = [self._silence(draw)]
        for letter in word:
            parts += [self._tone(draw, self._pitch[letter] * detuned), self._silence(draw)]
        whole = np.concatenate(parts)
        noisy = whole + draw.uniform(0, self._noise) * draw.standard_normal(len(whole))
        return np.clip(noisy, -1, 1).astype(np.float32)

    def _silence(self, draw: np.random.Generator) -> np.ndarray[Any, np.dtype[Any]]:
        return np.zeros(int(draw.uniform(*PAUSES) * self._rate))

    def _tone(self, draw: np.random.Generator, pitch: float) -> np.ndarray[Any, np.dtype[Any]]:
        """A sine that swells and fades."""
        time = np.arange(int(draw.uniform(*LENGTHS) * self._rate)) / self._rate
        loudness = np.exp(draw.uniform(*np.log(LOUDNESS)))
        shape = np.sin(np.pi * np.linspace(0, 1, len(time))) ** 0.5
        tone: np.ndarray[Any, np.dtype[Any]] = loudness * shape * np.sin(2 * np.pi * pitch * time + draw.uniform(0, 6))
        return tone
