"""Free Spoken Digit Dataset: `7_theo_12.wav`, the digit, who says it, and a number (Jackson et al. 2018)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lmlab.data.portion import split_of
from lmlab.data.published import find_published
from lmlab.data.recordings import Recording, Recordings
from lmlab.examples import Speech
from lmlab.types import Mistake, Split

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

NAME = re.compile(r"(\d)_(\w+)_(\d+)\.wav")

FIRST = 5
"""Recordings numbered below it are the test set, by the data set's own README."""


class SpokenDigits:
    """Each digit is the word for it.

    Args:
        root: folder that holds the data; None: LMLAB_DATA.
        folders: where below it the recordings may lie.
        speaker: all of whose recordings are the test set, and nobody else's; None: the official split.
        val: share of the others that is held out for validation, by a hash of the names.
        sample_rate, on_error, cache_dir: see Recordings.
    """

    example = Speech

    def __init__(
        self,
        *,
        root: str | None,
        folders: Sequence[str],
        speaker: str | None,
        val: int | float,
        sample_rate: int,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if not 0 < val < 1:
            raise Mistake(f"data.val={val} is no share of the recordings; set it, for example, to 0.1")
        origin = "github.com/Jakobovski/free-spoken-digit-dataset"
        name = "the Free Spoken Digit Dataset"
        found = find_published(name, origin, root, folders, {"train": ["recordings"]}, is_there=Path.is_dir)
        folder = found["train"][0]
        named = [(path, match) for path in sorted(folder.iterdir()) if (match := NAME.fullmatch(path.name))]
        if not named:
            raise Mistake(f"{folder} has no files such as 7_theo_12.wav; set data.root to the folder of {name}")
        speakers = sorted({match[2] for _, match in named})
        if speaker is not None and (speaker not in speakers or len(speakers) == 1):
            raise Mistake(f"data.speaker={speaker} is none of those that speak; set it to one of {', '.join(speakers)}")
        splits: dict[Split, list[Recording]] = {"train": [], "val": [], "test": []}
        for path, match in named:
            is_test = int(match[3]) < FIRST if speaker is None else match[2] == speaker
            split = "test" if is_test else split_of(path.name, {"val": val})
            splits[split].append(Recording(path, DIGITS[int(match[1])]))
        self._recordings = Recordings(splits, sample_rate=sample_rate, on_error=on_error, cache_dir=cache_dir)

    def fingerprint(self) -> str:
        return self._recordings.fingerprint()

    def read(self, split: Split) -> Iterator[Speech]:
        return self._recordings.read(split)
