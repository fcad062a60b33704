"""Contiguous streams with carried state: truncated backpropagation through time as in Zaremba et al. 2014, section 4.1."""

from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import Dataset

from lmlab.batch.sampler import Share, Tokens, share
from lmlab.types import IGNORE, Batch, Mistake, Text


class Streams:
    """The text cut into `size` streams read side by side, `seq_len` tokens a step, the state handed on between steps.

    An epoch covers every token exactly once: the last chunk is shorter, and streams differ in length by padding alone.
    """

    example = Text
    carries_state = True

    def __init__(
        self,
        *,
        size: int,
        micro_size: int | None,
        seq_len: int,
        eval_size: int,
        num_workers: int,
        seed: int,
        eos: int,
    ) -> None:
        self.size, self.micro_size, self.seq_len, self.eval_size = size, micro_size, seq_len, eval_size
        self.num_workers, self.seed, self.eos = num_workers, seed, eos

    def share(self, *, rank: int = 0, world: int = 1) -> Share:
        """This rank's part of every global batch."""
        return share(self.size, self.micro_size, rank=rank, world=world)

    def steps_per_epoch(self, tokens: Tokens) -> int:
        return -(-_length(len(tokens), self.size) // self.seq_len)

    def train(self, tokens: Tokens, *, rank: int = 0, world: int = 1) -> "StreamChunks":
        """The training batches of one rank, by (step, micro-step)."""
        if len(tokens) < self.size * 2:
            raise Mistake(
                f"the training text has {len(tokens)} tokens, too few for batch.size={self.size} streams; "
                f"set batch.size to at most {max(1, len(tokens) // 2)} or give more text in data.path"
            )
        return StreamChunks(tokens, self.share(rank=rank, world=world), self.seq_len, self.eos)

    def eval(self, tokens: Tokens) -> "EvalChunks":
        """The evaluation batches, by number; longer chunks than in training, since nothing is propagated back."""
        return EvalChunks(StreamChunks(tokens, Share(self.eval_size, self.eval_size), max(self.seq_len, 256), self.eos))


def _length(num_tokens: int, size: int) -> int:
    return -(-num_tokens // size)


class StreamChunks(Dataset[Batch]):
    """(step, micro-step) -> Batch: chunk `step` of every stream in the micro-batch, starting over at each epoch."""

    def __init__(self, tokens: Tokens, share: Share, seq_len: int, eos: int) -> None:
        self.tokens, self.share, self.seq_len, self.eos = tokens, share, seq_len, eos
        self.length = _length(len(tokens), share.size)
        self.num_chunks = -(-self.length // seq_len)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        step, micro = key
        rows, index = self.share.rows(micro), self.places(step, micro)
        inside = index < len(self.tokens)
        targets = np.where(inside, self.tokens[np.minimum(index, len(self.tokens) - 1)].astype(np.int64), IGNORE)
        previous = self.tokens[np.clip(index - 1, 0, len(self.tokens) - 1)].astype(np.int64)
        inputs = np.where(index == 0, self.eos, previous)
        return Batch(
            torch.from_numpy(inputs),
            torch.from_numpy(targets),
            num_targets=self._num_targets(self._columns(step)),
            document=None if inside.all() else torch.from_numpy(inside.astype(np.int64)),
            rows=torch.arange(rows.start, rows.stop),
            is_start=step % self.num_chunks == 0,
        )

    def places(self, step: int, micro: int) -> Tokens:
        """Where in the text the targets stand, [batch, time]; places beyond its end are padding."""
        rows = self.share.rows(micro)
        return np.arange(rows.start, rows.stop)[:, None] * self.length + self._columns(step)

    def _columns(self, step: int) -> Tokens:
        chunk = step % self.num_chunks
        return np.arange(chunk * self.seq_len, min((chunk + 1) * self.seq_len, self.length))

    def _num_targets(self, columns: Tokens) -> int:
        """Targets of the chunk over all rows: row r's column c is token r * length + c."""
        every = np.arange(self.share.size)[:, None] * self.length + columns
        return int((every < len(self.tokens)).sum())


class EvalChunks(Dataset[Batch]):
    """Chunk number -> Batch."""

    def __init__(self, chunks: StreamChunks) -> None:
        self.chunks = chunks

    def __len__(self) -> int:
        return self.chunks.num_chunks

    def __getitem__(self, number: int) -> Batch:
        if number >= len(self):
            raise IndexError(number)
        return replace(self.chunks[number, 0], place=torch.from_numpy(self.chunks.places(number, 0)))
