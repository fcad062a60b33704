"""Files of one split that are files of another one as well: what is found on them says how well a model remembers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from lmlab.types import Mistake, Split

log = logging.getLogger(__name__)


def check_equal_files(hashed: Mapping[Split, Sequence[tuple[Any, Path]]]) -> None:
    """Of each split the files with a hash of their content.

    Raises:
        Mistake: where a file of train is a file of validation or test.
    """
    for one, other in combinations(hashed, 2):
        there = dict(hashed[one])
        for key, path in hashed[other]:
            if key not in there:
                continue
            if "train" in (one, other) and path.resolve() == there[key].resolve():
                raise Mistake(f"{path} is a file of {one} and of {other}; give {other} another one, or none")
            why = (
                "it says how well a model remembers" if "train" in (one, other) else "it chooses what it then measures"
            )
            log.warning("%s of %s has the content of %s of %s: %s", path, other, there[key], one, why)
