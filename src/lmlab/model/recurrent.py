"""A stack of recurrent layers (Zaremba et al. 2014), with attention over a memory (Luong et al. 2015, eq. 5).

Left out: input feeding (Luong et al. 2015, 3.3), which would forbid the fused kernels.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.direction import Bidirectional, Forward, Pieces, pieces_of
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
        init_range: float | None,
        cell: CellFactory,
        cross_attention: AttentionFactory | None,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.causal = causal
        self.embedding = nn.Embedding(vocab_size, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)  # so that logits of a tied head start near 1
        self.dropout = nn.Dropout(dropout)
        layer = Forward if causal else Bidirectional
        self.layers = nn.ModuleList(layer(cell=cell, dim=dim) for _ in range(num_layers))
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
        before, seen = ([None] * len(self.layers), ()) if state is None else state
        pieces = self._pieces(document, inputs, seen, is_fresh=state is None)
        states = self.dropout(self._embed(inputs))
        after = []
        for layer, layer_state in zip(self.layers, before, strict=True):
            states, last = layer(states, pieces, layer_state)
            states = self.dropout(states)
            after.append(last)
        new_state = (tuple(after), () if pieces is None else (pieces.last,))
        if self.reader is None or memory is None:
            return Output(states, new_state)
        states, weights = self.reader(states, document, memory, with_attention)
        return Output(states, new_state, Extras(cross_attention=() if weights is None else (weights,)))

    def layer_widths(self) -> tuple[tuple[int, ...], ...]:
        """By one step of each layer: only the cells know how many tensors their state has."""
        with torch.no_grad(), torch.random.fork_rng([]):
            step = self.embedding.weight.new_zeros(1, 1, self.dim)
            lasts = [layer(step, None, None)[1] for layer in self.layers]
        return tuple(tuple(part.shape[1] for part in last) for last in lasts)

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
        with_weights: bool,
    ) -> tuple[Float[Tensor, "batch time dim"], Float[Tensor, "batch heads time key"] | None]:
        mask = cross_mask(document, memory)
        context, _, weights = self.attention(states, memory.states, mask, with_weights=with_weights)
        return torch.tanh(self.combine(torch.cat((context, states), dim=-1))), weights
