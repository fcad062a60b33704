"""A word is its own vector and those of its character n-grams (fastText: Bojanowski et al. 2017, 3.2)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.model.character_ngrams import hashed_ngrams
from lmlab.types import Mistake, Vocabulary


class FastText(nn.Module):
    """Vectors also of words that were not seen in training, as far as their n-grams were.

    Rows are uniform within +-1/dim at the start, as in the published code. That code keeps a row for every bucket; here there
    is one for each bucket that an n-gram of the vocabulary falls into: others would never change.
    """

    first: Int[Tensor, "ends"]
    rows: Int32[Tensor, "row"]
    averages_context: bool
    predicts_context: bool

    def __init__(
        self, *, vocabulary: Vocabulary, dim: int, min_n: int, max_n: int, num_buckets: int, cbow: bool
    ) -> None:
        super().__init__()
        if not 1 <= min_n <= max_n:
            raise Mistake(
                f"model.min_n={min_n} and model.max_n={max_n} must be 1 <= min_n <= max_n; change one of them"
            )
        if not 1 <= num_buckets < 2**32:
            raise Mistake(f"model.num_buckets={num_buckets} must be at least 1 and below 2^32; the paper has 2000000")
        self.dim = dim
        self.averages_context, self.predicts_context = cbow, not cbow
        self.sizes = {"min_n": min_n, "max_n": max_n, "num_buckets": num_buckets}
        self.num_words = len(vocabulary.words)
        first, rows, self.buckets = self._rows_of(vocabulary)
        self.register_buffer("first", torch.from_numpy(first), persistent=False)
        self.register_buffer("rows", torch.from_numpy(rows), persistent=False)
        self.embedding = nn.Embedding(self.num_words + len(self.buckets), dim)
        nn.init.uniform_(self.embedding.weight, -1 / dim, 1 / dim)

    def _rows_of(self, vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each word its own row and behind it those of its n-grams; and the bucket of each row behind the words'."""
        vocab = len(vocabulary.words)
        is_word = vocabulary.counts > 0  # <eos> and <unk> are spelt by nobody
        words = [word for word, real in zip(vocabulary.words, is_word) if real]
        ends, hashes = hashed_ngrams(words, **self.sizes)
        buckets, ngrams = np.unique(hashes, return_inverse=True)
        lengths = np.ones(vocab, dtype=np.int64)
        lengths[is_word] += np.diff(ends)
        first = np.concatenate(([0], np.cumsum(lengths)))
        rows = np.empty(first[-1], dtype=np.int32)
        is_own = np.zeros(len(rows), dtype=bool)
        is_own[first[:-1]] = True
        rows[is_own], rows[~is_own] = np.arange(vocab), vocab + ngrams
        return first, rows, buckets

    @torch.no_grad()
    def vectors(self) -> Float[Tensor, "vocab dim"]:
        return F.embedding_bag(self.rows, self.embedding.weight, self.first[:-1].to(self.rows.dtype), mode="mean")

    @torch.no_grad()
    def unseen(self, word: str) -> Float[Tensor, "dim"] | None:
        """The mean of those of its n-grams that some word of the training text has as well."""
        hashes = hashed_ngrams([word], **self.sizes)[1]
        places = np.searchsorted(self.buckets, hashes)
        is_known = np.isin(hashes, self.buckets)
        rows = torch.from_numpy(self.num_words + places[is_known]).to(self.rows.device)
        return self.embedding(rows).mean(dim=0) if len(rows) else None
