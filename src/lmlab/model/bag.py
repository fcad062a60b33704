"""The bag of words and n-grams of fastText (Joulin et al. 2017, section 2): the mean of their vectors is the hidden vector.

A model gives a state for each place: the vector of its word and its share of those of the n-grams over it, in such
measure that the mean over a document's states is fastText's hidden vector. Left out: n-grams of characters.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.encoder_only import refuse_decoding
from lmlab.model.taps import Rows, rows_of, taps, within
from lmlab.model.vectors import vectors
from lmlab.types import Memory, Mistake, Output, State

MIX = 116049371
"""By which fastText multiplies before it adds the next word; here it adds ids, there hashes of words."""


class Bag(nn.Module):
    """Ids -> one state per place, each about its own n-grams; features with ngrams=1 only. An encoder only."""

    state_grows = False

    def __init__(
        self,
        *,
        vocab_size: int,
        causal: bool,
        memory_dim: int | None = None,
        dim: int,
        ngrams: int,
        buckets: int,
        dropout: float,
    ) -> None:
        super().__init__()
        reason = "its states are shares of a mean over the whole document"
        refuse_decoding(causal=causal, memory_dim=memory_dim, model="bag", reason=reason, instead="lstm")
        if ngrams < 1:
            raise Mistake(f"model.ngrams={ngrams} leaves not even words; set it to 1 (words) or more")
        if buckets < 1:
            raise Mistake(f"model.buckets={buckets} leaves no vector for an n-gram; set it to 1 or more")
        self.dim = dim
        self.causal = causal
        self.ngrams = ngrams
        self.embedding = nn.Embedding(vocab_size, dim)
        self.ngram_embedding = nn.Embedding(buckets, dim) if ngrams > 1 else None
        self.dropout = nn.Dropout(dropout)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / dim, 1 / dim)  # as fastText does

    def forward(
        self,
        inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"],
        document: Int[Tensor, "batch time"] | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        assert memory is None, "it was built without a memory"
        assert state is None, "an encoder sees its whole input at once"
        if inputs.is_floating_point() and self.ngrams > 1:
            raise Mistake(f"features have no n-grams, and model.ngrams={self.ngrams}; set model.ngrams to 1")
        whole = torch.ones(inputs.shape[:2], dtype=torch.long, device=inputs.device)
        rows = rows_of(whole if document is None else document, None)
        words = rows.pack(inputs)
        states = vectors(words, self.embedding)
        length = lengths(rows.number)
        total = length
        for size in range(2, self.ngrams + 1):
            states = states + self._shares(words, size, rows)
            total = total + (length - size + 1).clamp(min=0)
        states = states * (length / total)[..., None].to(states.dtype)
        return Output(self.dropout(rows.unpack(states)))

    def _shares(self, words: Int[Tensor, "batch time"], size: int, rows: Rows) -> Float[Tensor, "batch time dim"]:
        """For each place the vectors of the n-grams that it is in, each of them divided among its places."""
        assert self.ngram_embedding is not None, "n-grams of more than a word have vectors of their own"
        shifts = range(size)
        bucket = torch.zeros_like(words)
        for word in taps(words, shifts, rows):
            bucket = (bucket * MIX + word) % self.ngram_embedding.num_embeddings
        is_whole = torch.stack(within(shifts, rows)).all(dim=0)
        found = self.ngram_embedding(bucket) * is_whole[..., None]
        return torch.stack(taps(found, range(1 - size, 1), rows)).sum(dim=0) / size


def lengths(number: Int[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
    """Of the document that each place is in, in places."""
    piece = torch.zeros_like(number)
    piece[:, 1:] = (number[:, 1:] != number[:, :-1]).cumsum(dim=1)
    return torch.zeros_like(number).scatter_add(1, piece, torch.ones_like(number)).gather(1, piece)
