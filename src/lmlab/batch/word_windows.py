"""Running text for word vectors: frequent words thinned out, windows of random size (Mikolov et al. 2013b, section 2.3)."""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab import types
from lmlab.batch.sampler import Share, Tokens, generator, share
from lmlab.types import Corpus, Mistake, Text

ALWAYS = 2**32 - 1


class WordWindows:
    """Steps of `size` consecutive words of the text, each with its context; an epoch is the text from beginning to end.

    Rare words (`<unk>`) are out before windows are made, and frequent ones by chance, so that a window may reach further.
    """

    makes = types.WordWindows
    example = Text
    carries_state = False
    seq_len = 1

    def __init__(
        self,
        *,
        size: int,
        window: int,
        sample: float,
        eval_size: int,
        num_workers: int,
        seed: int,
        corpus: Corpus,
    ) -> None:
        if not 1 <= window <= 255:
            raise Mistake(f"batch.window={window} is not between 1 and 255; set batch.window to e.g. 5")
        if sample < 0:
            raise Mistake(
                f"batch.sample={sample} is below 0; set batch.sample to e.g. 1e-4, or to 0 to keep every word"
            )
        self.size, self.window, self.sample, self.eval_size = size, window, sample, eval_size
        self.num_workers, self.seed, self.corpus = num_workers, seed, corpus

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every global batch."""
        return share(self.size, None, rank=rank, world=world)

    def steps_per_epoch(self, tokens: Tokens) -> int:
        return max(1, -(-len(tokens) // self.size))

    def train(self, tokens: Tokens, *, rank: int = 0, world: int = 1) -> Steps:
        """The training steps of one rank, by (step, micro-step)."""
        if not len(tokens):
            raise Mistake("the training split has no text; give some in data.path")
        if not self.corpus.counts.any():
            raise Mistake(
                "no word of the training split is frequent enough to have a vector; set tokenizer.min_count lower"
            )
        keep = thresholds(self.corpus.counts, self.sample)
        return Steps(tokens, self.share(rank=rank, world=world), self.window, keep, self.corpus.eos, self.seed)

    def eval(self, tokens: Tokens) -> Evaluation:
        """The evaluation steps, by number: every word that is not rare, and the same windows each time."""
        keep = thresholds(self.corpus.counts, 0.0)
        return Evaluation(Steps(tokens, Share(self.eval_size, self.eval_size), self.window, keep, self.corpus.eos, 0))


class Steps(Dataset[Any]):
    """(step, micro-step) -> the windows of that stretch of text, starting over at each epoch."""

    def __init__(self, tokens: Tokens, share: Share, window: int, keep: Tokens, eos: int, seed: int) -> None:
        self.tokens, self.share, self.window, self.keep, self.eos, self.seed = tokens, share, window, keep, eos, seed
        self.num_steps = max(1, -(-len(tokens) // share.size))

    def __getitem__(self, key: tuple[int, int]) -> types.WordWindows:
        step, micro = key
        rows = self.share.rows(micro)
        first = step % self.num_steps * self.share.size
        text = np.asarray(self.tokens[first + rows.start : first + rows.stop])
        random = generator(self.seed, step, rows.start).bit_generator.random_raw(len(text))
        words, left, right = windows(text, random, self.keep, self.eos, self.window)
        return types.WordWindows(
            torch.from_numpy(words), torch.from_numpy(left), torch.from_numpy(right), num_tokens=len(text)
        )


class Evaluation(Dataset[Any]):
    """Step number -> windows."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def __len__(self) -> int:
        return self.steps.num_steps

    def __getitem__(self, number: int) -> types.WordWindows:
        if number >= len(self):
            raise IndexError(number)
        return self.steps[number, 0]


def thresholds(counts: Tokens, sample: float) -> Tokens:
    """Up to which part of 2^32 a word is kept: (sqrt(f / t) + 1) t / f of the words of relative frequency f."""
    frequency = counts / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = (np.sqrt(frequency / sample) + 1) * sample / frequency if sample else np.ones(len(counts))
    return np.where(counts > 0, np.minimum(chance, 1) * ALWAYS, 0).astype(np.uint32)


@numba.njit(cache=True, nogil=True)
@no_type_check
def windows(text, random, keep, eos, window):
    """The words kept, and how many before and behind each are its context.

    A word's random number says by its upper half whether it is kept, by its lower one how far its window reaches.
    """
    words = np.empty(len(text), np.int32)
    left = np.empty(len(text), np.uint8)
    right = np.empty(len(text), np.uint8)
    num, start = 0, 0
    for i in range(len(text) + 1):
        if i == len(text) or text[i] == eos:
            for k in range(start, num):  # right holds how far the window may reach
                left[k] = min(right[k], k - start)
                right[k] = min(right[k], num - 1 - k)
            start = num
        elif keep[text[i]] and (random[i] >> np.uint64(32)) <= keep[text[i]]:
            words[num] = text[i]
            right[num] = 1 + (((random[i] & np.uint64(0xFFFFFFFF)) * np.uint64(window)) >> np.uint64(32))
            num += 1
    return words[:num].copy(), left[:num].copy(), right[:num].copy()
