"""How one body of text is divided into training, validation and test parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lmlab.types import SPLITS, Mistake, Split


def check_fractions(fractions: Mapping[str, int | float]) -> None:
    """Refuse fractions that leave a part without meaning."""
    unknown = sorted(set(fractions) - {"val", "test"})
    if unknown:
        raise Mistake(f"data.split.{unknown[0]} is not known; data.split has the keys val and test, train is the rest")
    for name, fraction in fractions.items():
        if not 0 <= fraction < 1:
            raise Mistake(f"data.split.{name}={fraction} is not a fraction; set data.split.{name} to 0 ... 1")
    if sum(fractions.values()) >= 1:
        raise Mistake(f"data.split={dict(fractions)} leaves nothing for training; val and test together stay below 1")


def split_of(name: str, fractions: Mapping[str, int | float]) -> Split:
    """The part that a named document falls into: the same on every machine, whatever other documents there are."""
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    test, val = fractions.get("test", 0.0), fractions.get("val", 0.0)
    if draw < test:
        return "test"
    return "val" if draw < test + val else "train"


def spans(total: int, fractions: Mapping[str, int | float]) -> dict[Split, tuple[int, int]]:
    """Start and end of each part where `total` characters are cut into train, val and test, in this order."""
    train = int(total * (1 - sum(fractions.values())) + 1e-9)  # 0.9 of 1,115,394 is 1,003,854 in the published split
    test = int(total * fractions.get("test", 0.0))
    ends = (train, total - test, total)
    return {split: (start, end) for split, start, end in zip(SPLITS, (0, *ends), ends)}
