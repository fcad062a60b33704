"""Which micro-batch comes when: keys (step, micro-step), counted from where the run stands; nothing else is remembered."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lmlab.types import Batch, Mistake

ENDLESS = 2**40
"""Steps of a run without an end: times the passes of a step it is still a length that Python allows."""

Tokens = np.ndarray[Any, np.dtype[Any]]
"""Ids of a split, [time], usually memory-mapped."""


@dataclass(frozen=True)
class Share:
    """The part of a global batch that one data-parallel rank computes, and in how many passes.

    Args:
        size: sequences of the global batch.
        micro_size: sequences per rank and pass.
        rank: this rank.
        world: number of ranks.
    """

    size: int
    micro_size: int
    rank: int = 0
    world: int = 1

    @property
    def num_micro(self) -> int:
        """Passes per step: the accumulation."""
        return self.size // (self.micro_size * self.world)

    def rows(self, micro: int) -> range:
        """The global rows of pass `micro` on this rank: row numbers do not depend on how many ranks there are."""
        first = (micro * self.world + self.rank) * self.micro_size
        return range(first, first + self.micro_size)


def share(size: int, micro_size: int | None, *, rank: int = 0, world: int = 1) -> Share:
    """The share of `rank`; a Mistake where the sizes do not divide."""
    if size % world:
        raise Mistake(
            f"batch.size={size} is not divisible by the {world} devices; set batch.size to a multiple of {world}"
        )
    micro = min(micro_size, size // world) if micro_size else size // world
    if size % (micro * world):
        raise Mistake(
            f"batch.size={size} is not divisible by batch.micro_size={micro} times {world} device(s); "
            f"set batch.size to a multiple of {micro * world}"
        )
    return Share(size, micro, rank, world)


def generator(*key: int) -> np.random.Generator:
    """Random numbers that follow from the key alone (Philox; Salmon et al. 2011), e.g. (seed, step)."""
    words = np.zeros(4, dtype=np.uint64)
    words[1 : len(key)] = key[1:]  # word 0 counts the draws: a key in it would give neighbouring steps the same numbers
    return np.random.Generator(np.random.Philox(key=key[0], counter=words))


class StepSampler(Sampler[tuple[int, int]]):
    """(step, micro-step) from `start` to `stop`, in order."""

    def __init__(self, *, start: int, stop: int | None, num_micro: int) -> None:
        self.start, self.stop, self.num_micro = start, stop if stop is not None else ENDLESS, num_micro

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for step in range(self.start, self.stop):
            for micro in range(self.num_micro):
                yield step, micro

    def __len__(self) -> int:
        return max(0, self.stop - self.start) * self.num_micro


def loader(
    dataset: "Dataset[Batch]", *, sampler: Sampler[tuple[int, int]] | None, num_workers: int
) -> "DataLoader[Batch]":
    """A loader whose items are whole batches already."""
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=sampler,
        num_workers=num_workers,
        persistent_workers=False,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=ignore_signals,
    )


def ignore_signals(worker: int) -> None:
    """Ctrl-C and a cluster's signals reach the whole group; the run still needs its workers to end the step and save."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
