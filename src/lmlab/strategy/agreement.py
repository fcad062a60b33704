"""Before the first step every rank says what it is about to do, and all stop with one sentence where they differ."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from torch.distributed import Store  # type: ignore[attr-defined]

from lmlab.types import Mistake

LONGEST = 60


def agree(store: Store, rank: int, world: int, facts: Mapping[str, str]) -> None:
    """Compares facts by name over all ranks.

    Raises:
        Mistake: on every rank, naming what differs and how.
    """
    store.set(f"facts/{rank}", json.dumps(dict(facts)))
    told = [json.loads(store.get(f"facts/{other}")) for other in range(world)]
    names = dict.fromkeys(name for one in told for name in one)
    different = [name for name in names if len({one.get(name) for one in told}) > 1]
    if different:
        shown = "; ".join(f"{name} ({_by_rank(name, told)})" for name in different[:3])
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        raise Mistake(
            f"the ranks differ in {shown}{more}: start them with one command, on one version of lmlab and of the data"
        )


def _by_rank(name: str, told: list[dict[str, str]]) -> str:
    other = next(rank for rank, one in enumerate(told) if one.get(name) != told[0].get(name))
    return ", ".join(f"rank {rank} has {str(told[rank].get(name, 'none'))[:LONGEST]}" for rank in (0, other))


def code_hash(package: Path) -> str:
    """Of all sources of a package, by their places in it."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
