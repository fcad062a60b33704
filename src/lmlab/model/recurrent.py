"""A stack of recurrent layers (Zaremba et al. 2014), with attention over a memory (Luong et al. 2015, eq. 5).

Input feeding (Luong et al. 2015, 3.3), which forbids the fused kernels, is a loop over time.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.by_steps import by_steps, held
from lmlab.model.direction import Bidirectional, Forward, Pieces, pieces_of, widths_of
from lmlab.model.mask import cross_mask
from lmlab.types import Attention, AttentionFactory, CellFactory, Extras, Memory, Mistake, Output, State


class Recurrent(nn.Module):
    """Ids or features -> states; its state is every layer's, and the document that each row was in."""

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
        input_feeding: bool,
        init_range: float | None,
        cell: CellFactory,
        cross_attention: AttentionFactory | None,
    ) -> None:
        super().__init__()
        if input_feeding and memory_dim is None:
            raise Mistake(
                "model=recurrent with input_feeding=true feeds a decoder what it read of an encoder, and here is none; "
                "set model.input_feeding=false, or choose model=seq2seq and model.decoder.input_feeding=true"
            )
        self.dim = dim
        self.causal = causal
        self.input_feeding = input_feeding
        self.embedding = nn.Embedding(vocab_size, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)  # so that logits of a tied head start near 1
        self.dropout = nn.Dropout(dropout)
        layer = Forward if causal else Bidirectional
        widths = [2 * dim if input_feeding else dim, *[dim] * (num_layers - 1)]
        self.layers = nn.ModuleList(layer(cell=cell, input_dim=width, dim=dim) for width in widths)
        self.reader = None if memory_dim is None else Reader(dim=dim, memory_dim=memory_dim, attention=cross_attention)
        if init_range is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -init_range, init_range)

    def forward(
        self,
        inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"],
        document: Int[Tensor, "batch time"] | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        assert (memory is None) == (self.reader is None), "memory goes with a model built with memory_dim"
        if self.input_feeding and inputs.shape[1] > 1:
            return by_steps(self, inputs, document, memory, state, with_attention)
        before, seen, *read = ([None] * len(self.layers), ()) if state is None else state
        pieces = self._pieces(document, inputs, seen, is_fresh=state is None)
        states = self.dropout(self._embed(inputs))
        if self.input_feeding:
            states = torch.cat((states, _fed(states, pieces, read)), dim=-1)
        after = []
        for layer, layer_state in zip(self.layers, before, strict=True):
            states, last = layer(states, pieces, layer_state)
            states = self.dropout(states)
            after.append(last)
        seen = () if pieces is None else (pieces.last,)
        if self.reader is None or memory is None:
            return Output(states, (tuple(after), seen))
        states, weights, cache = self.reader(states, document, memory, tuple(read[1:]), with_attention)
        if self.input_feeding:
            is_real = None if pieces is None else pieces.forward[0].is_real
            read = [held(states[:, 0], is_real, read[0] if read else None), *cache]
        extras = Extras(cross_attention=() if weights is None else (weights,))
        return Output(states, (tuple(after), seen, *read), extras)

    def layer_widths(self) -> tuple[tuple[int, ...], ...]:
        return widths_of(self.layers, self.dim * (2 if self.input_feeding else 1))

    def begin(self, layers: tuple[tuple[Float[Tensor, "batch width"], ...], ...]) -> State:
        return layers, ()

    def _embed(
        self, inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"]
    ) -> Float[Tensor, "batch time dim"]:
        states: Tensor = inputs if inputs.is_floating_point() else self.embedding(inputs)
        if states.shape[-1] != self.dim:
            raise Mistake(f"features are {states.shape[-1]} wide, but model.dim={self.dim}; set it to their width")
        return states

    def _pieces(
        self, document: Tensor | None, inputs: Tensor, seen: tuple[Tensor, ...], *, is_fresh: bool
    ) -> Pieces | None:
        """A call without document numbers is document 1; where none was ever given, nothing is cut."""
        if document is None and not seen:
            return None
        if document is None:
            document = seen[0].new_ones(inputs.shape[:2])
        if seen:
            return pieces_of(document, seen[0], causal=self.causal)
        return pieces_of(document, None if is_fresh else torch.ones_like(document[:, 0]), causal=self.causal)


def _fed(
    states: Float[Tensor, "batch 1 dim"], pieces: Pieces | None, read: list[Tensor]
) -> Float[Tensor, "batch 1 dim"]:
    """The vector that the step before made of its state and what it read; zeros where a document starts."""
    if not read:
        return torch.zeros_like(states)
    fed = read[0] if pieces is None else read[0].masked_fill(pieces.forward[0].is_first, 0.0)
    return fed[:, None].to(states.dtype)


class Reader(nn.Module):
    """tanh(W [c; h]): the top state h with what it attends to in the memory, c (Luong et al. 2015, eq. 5)."""

    def __init__(self, *, dim: int, memory_dim: int, attention: AttentionFactory | None) -> None:
        super().__init__()
        if attention is None:
            raise Mistake(
                "model.cross_attention=null, but a decoder that reads an encoder needs one; "
                "choose model/cross_attention=scaled_dot"
            )
        self.attention: Attention = attention(dim=dim, memory_dim=memory_dim)
        self.combine = nn.Linear(2 * dim, dim, bias=False)

    def forward(
        self,
        states: Float[Tensor, "batch time dim"],
        document: Int[Tensor, "batch time"] | None,
        memory: Memory,
        cache: tuple[Tensor, ...],
        with_weights: bool,
    ) -> tuple[Float[Tensor, "batch time dim"], Float[Tensor, "batch heads time key"] | None, tuple[Tensor, ...]]:
        """With what an earlier call made of the memory, its keys and values, they are not made again."""
        mask = cross_mask(document, memory)
        unread = memory.states[:, :0] if cache else memory.states
        context, cache, weights = self.attention(states, unread, mask, cache or None, with_weights=with_weights)
        return torch.tanh(self.combine(torch.cat((context, states), dim=-1))), weights, cache
