"""What stands in training and in held-out examples alike: a figure on it says how well a model remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple


class Overlap(NamedTuple):
    """Of the examples of a held-out split."""

    num: int
    """How many are in the training split as well."""
    total: int
    example: str
    """The first of them, "" where there is none."""


def overlap(train: Iterable[Any], held_out: Iterable[Any]) -> Overlap:
    """By what a model is shown of an example, its `inputs` or else all its texts; white space does not count."""
    known = {_hash(example) for example in train}
    num, total, first = 0, 0, ""
    for example in held_out:
        total += 1
        if _hash(example) in known:
            num += 1
            first = first or " ".join(" ".join(_named(example)).split())
    return Overlap(num, total, first)


def _shown(example: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(example, "inputs", example.texts)
    return found


def _named(example: Any) -> tuple[str, ...]:
    """What tells people which example it is."""
    return (example.name, *example.texts[:1]) if hasattr(example, "name") else _shown(example)


def _hash(example: Any) -> bytes:
    content = "\0".join(" ".join(text.split()) for text in _shown(example))
    return hashlib.blake2b(content.encode(), digest_size=16).digest()
