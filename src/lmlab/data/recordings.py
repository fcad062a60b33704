"""Recordings with what was said in each, checked as a whole before the first one is given out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from lmlab.data.audio import Kept, kept_by, read_audio
from lmlab.data.cache import cache_folder
from lmlab.data.fingerprint import file_hash
from lmlab.data.found import Fault
from lmlab.examples import Speech
from lmlab.types import Mistake, Split

log = logging.getLogger(__name__)

NAMED = 3
"""So many of the recordings that were left out are told."""


@dataclass(frozen=True)
class Recording:
    """A file, and what was said in it."""

    path: Path
    text: str
    place: str = ""
    """Where the text stands, for messages."""
    fault: Fault | None = None
    """What is wrong with the place itself, which then is one of the path, a table: it names no recording."""


class Recordings:
    """Those of each split, as samples of one rate.

    Args:
        sample_rate: samples a second; recordings of another rate are brought to it.
        on_error: strict: a faulty recording is refused; skip: it is left out, counted and told.
        cache_dir: where hashes of large files are kept.
    """

    def __init__(
        self,
        splits: Mapping[Split, Sequence[Recording]],
        *,
        sample_rate: int,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if on_error not in ("strict", "skip"):
            raise Mistake(f"data.on_error={on_error} is not known; set data.on_error to strict or skip")
        check_rate(sample_rate)
        self._splits, self._rate, self._on_error = splits, sample_rate, on_error
        self._cache = cache_folder(cache_dir)

    def fingerprint(self) -> str:
        content = {
            split: [[_hash(one.path, self._cache), one.text] for one in recordings]
            for split, recordings in self._splits.items()
        }
        whole = json.dumps([content, self._rate, self._on_error], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    def read(self, split: Split) -> Iterator[Speech]:
        for one in self._whole.get(split, ()):
            yield Speech(one.text, self._rate, partial(self._samples, one))

    def _samples(self, one: Recording) -> np.ndarray[Any, np.dtype[Any]]:
        try:
            return read_audio(one.path, self._rate)
        except Fault as fault:
            raise Mistake(f"{one.path} {fault.what}; {fault.change}") from None

    @cached_property
    def _whole(self) -> dict[Split, list[Recording]]:
        """The recordings of which nothing is wrong."""
        rates: Counter[int] = Counter()
        num_wide = 0
        faults: list[str] = []
        found: dict[Split, list[Recording]] = {}
        for split, recordings in self._splits.items():
            found[split] = []
            for one in recordings:
                try:
                    kept = _checked(one)
                    rates[kept.rate] += 1
                    num_wide += kept.channels > 1
                    found[split].append(one)
                except Fault as fault:
                    faults.append(self._left_out(one, fault))
        if faults:
            more = f", and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
            were = "recording was" if len(faults) == 1 else "recordings were"
            log.warning("%s %s left out: %s%s", f"{len(faults):,}", were, "; ".join(faults[:NAMED]), more)
        for split, recordings in found.items():
            if not recordings and (split != "test" or self._splits[split]):
                raise Mistake(f"the {split} split has no recording that can be read; give some, or another data.split")
        if others := {rate: number for rate, number in rates.items() if rate != self._rate}:
            listed = ", ".join(f"{number:,} of {rate:,} Hz" for rate, number in sorted(others.items()))
            log.info("data.sample_rate=%s: other recordings are resampled (%s)", self._rate, listed)
        if num_wide:
            log.info("of recordings with several channels (%s) the mean is read", f"{num_wide:,}")
        return found

    def _left_out(self, one: Recording, fault: Fault) -> str:
        place = f" ({one.place})" if one.place and one.fault is None else f", {one.place}" if one.place else ""
        if self._on_error == "strict" or fault.is_fatal:
            rest = "" if fault.is_fatal else ", or set data.on_error=skip to leave such recordings out"
            raise Mistake(f"{one.path}{place} {fault.what}; {fault.change}{rest}")
        return f"{one.path.name}{place} {fault.what}"


def check_rate(sample_rate: int) -> None:
    """Refuse what no speech can be heard at."""
    if sample_rate < 1000:
        raise Mistake(f"data.sample_rate={sample_rate} is too low for speech; set it to 8000 or 16000")


def _checked(one: Recording) -> Kept:
    if one.fault is not None:
        raise one.fault
    if not one.text.strip():
        raise Fault("has no transcript", "write what is said in it")
    return kept_by(one.path)


def _hash(path: Path, cache: Path) -> str | None:
    try:
        return file_hash(path, cache)
    except OSError:  # said, or counted, when it is read
        return None
