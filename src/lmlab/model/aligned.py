"""s_i = f(s_(i-1), y_(i-1), c_i): a decoder whose step reads what the state before it chose (Bahdanau et al. 2015, A.1.2, A.2.2).

Left out: an embedding (620 in the paper) and a readout (500) of other widths than the states (1000). The gated unit is
torch's, whose reset gate stands behind its matrix, and the attention has projections of values and output beside the
paper's W_a and U_a.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.by_steps import by_steps
from lmlab.model.direction import Forward, Pieces, pieces_of, widths_of
from lmlab.model.mask import cross_mask
from lmlab.model.numbers import numbers
from lmlab.model.vectors import vectors
from lmlab.types import Attention, AttentionFactory, CellFactory, Extras, Memory, Mistake, Output, State


class Aligned(nn.Module):
    """Ids or features -> readouts t_i; its state is every layer's, the document that each row was in, and the memory's keys.

    c_i = attention(s_(i-1), memory), then t_i = maxout(U s_(i-1) + V E y_(i-1) + C c_i) and s_i = f(s_(i-1), [E y_(i-1); c_i]).
    Further layers stand on the first; s is the top one's. y_(i-1) is the input at i, so that t_i tells of y_i.
    """

    state_grows = False

    def __init__(  # more than 8 arguments: what data and task decide, and what the user does
        self,
        *,
        vocab_size: int,
        causal: bool,
        memory_dim: int | None = None,
        dim: int,
        num_layers: int,
        dropout: float,
        cell: CellFactory,
        cross_attention: AttentionFactory | None,
    ) -> None:
        super().__init__()
        if not causal or memory_dim is None or cross_attention is None:
            raise Mistake(
                "model=aligned is a decoder that at each step reads an encoder with attention, and here it has no memory to "
                "read; choose model=seq2seq with model/decoder=aligned, or a model such as gru"
            )
        self.dim = dim
        self.causal: bool = causal
        self.embedding = nn.Embedding(vocab_size, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)  # so that logits of a tied head start near 1
        self.dropout = nn.Dropout(dropout)
        self.attention: Attention = cross_attention(dim=dim, memory_dim=memory_dim)
        widths = [2 * dim, *[dim] * (num_layers - 1)]
        self.layers = nn.ModuleList(Forward(cell=cell, input_dim=width, dim=dim) for width in widths)
        self.readout = nn.Linear(3 * dim, 2 * dim)  # [U, V, C], for pairs

    def forward(
        self,
        inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"],
        document: Int[Tensor, "batch time"] | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        assert memory is not None, "memory goes with a model built with memory_dim"
        if inputs.shape[1] > 1:
            return by_steps(self, inputs, document, memory, state, with_attention)
        before, seen, *cache = ([None] * len(self.layers), ()) if state is None else state
        word = self.dropout(vectors(inputs, self.embedding))
        numbered = numbers(document, inputs, seen, is_fresh=state is None)
        pieces = None if numbered is None else pieces_of(*numbered, causal=True)
        top = _top(before[-1], pieces, word)
        unread = memory.states[:, :0] if cache else memory.states
        mask = cross_mask(document, memory)
        context, cache, weights = self.attention(top, unread, mask, tuple(cache) or None, with_weights=with_attention)
        states = torch.cat((word, context), dim=-1)
        after = []
        for layer, layer_state in zip(self.layers, before, strict=True):
            states, last = layer(states, pieces, layer_state)
            states = self.dropout(states)
            after.append(last)
        both = self.readout(torch.cat((top, word, context), dim=-1))
        new_state = (tuple(after), () if pieces is None else (pieces.last,), *cache)
        extras = Extras(cross_attention=() if weights is None else (weights,))
        return Output(both.view(*both.shape[:2], self.dim, 2).amax(-1), new_state, extras)

    def layer_widths(self) -> tuple[tuple[int, ...], ...]:
        return widths_of(self.layers, 2 * self.dim)

    def begin(self, layers: tuple[tuple[Float[Tensor, "batch width"], ...], ...]) -> State:
        return layers, ()


def _top(
    before: tuple[Tensor, ...] | None, pieces: Pieces | None, word: Float[Tensor, "batch 1 dim"]
) -> Float[Tensor, "batch 1 dim"]:
    """The top layer's hidden state after the step before; zeros where a document starts."""
    if before is None:
        return torch.zeros_like(word)
    hidden = before[0] if pieces is None else before[0].masked_fill(pieces.forward[0].is_first, 0.0)
    return hidden[:, None].to(word.dtype)
