"""A stack of recurrent layers (Zaremba et al. 2014), with attention over a memory (Luong et al. 2015, eq. 5).

Input feeding (Luong et al. 2015, 3.3), which forbids the fused kernels, is a loop over time.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.activation_penalty import ActivationPenalty
from lmlab.model.by_steps import by_steps, held
from lmlab.model.direction import Bidirectional, Forward, Pieces, pieces_of, widths_of
from lmlab.model.embedding_dropout import EmbeddingDropout
from lmlab.model.mask import cross_mask
from lmlab.model.numbers import numbers
from lmlab.model.variational_dropout import VariationalDropout
from lmlab.types import Attention, AttentionFactory, CellFactory, Extras, Memory, Mistake, Output, State


class Recurrent(nn.Module):
    """Ids or features -> states; its state is every layer's, and the document that each row was in."""

    state_grows = False

    def __init__(  # more than 8 arguments: every kind of dropout that has been used on recurrent layers is a key
        self,
        *,
        vocab_size: int,
        causal: bool,
        memory_dim: int | None = None,
        dim: int,
        num_layers: int,
        expansion: float,
        bidirectional: bool | None,
        dropout: float,
        input_feeding: bool,
        variational_dropout: bool,
        input_dropout: float | None,
        output_dropout: float | None,
        embedding_dropout: float,
        weight_dropout: float,
        activation_penalty: float,
        temporal_penalty: float,
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
        once = {
            "variational_dropout": variational_dropout,
            "embedding_dropout": embedding_dropout,
            "weight_dropout": weight_dropout,
            "activation_penalty": activation_penalty,
            "temporal_penalty": temporal_penalty,
        }
        for name in [name for name, value in once.items() if value and input_feeding]:
            raise Mistake(
                f"model.{name}={once[name]} is of a whole sequence, and with input_feeding=true one position is read at a "
                f"time; set model.input_feeding=false, or leave model.{name} out"
            )
        if causal and bidirectional:
            raise Mistake(
                "model.bidirectional=true, but a decoder sees nothing of what follows; set model.bidirectional=null"
            )
        self.dim = dim
        self.causal = causal
        self.input_feeding = input_feeding
        self.forward_only = causal or bidirectional is False
        self.embedding = nn.Embedding(vocab_size, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)  # so that logits of a tied head start near 1
        kind = VariationalDropout if variational_dropout else nn.Dropout
        self.embedding_dropout = EmbeddingDropout(_probability(embedding_dropout=embedding_dropout))
        self.dropout = kind(_probability(dropout=dropout))
        self.input_dropout = kind(_probability(dropout=dropout, input_dropout=input_dropout))
        self.output_dropout = kind(_probability(dropout=dropout, output_dropout=output_dropout))
        self.penalty = ActivationPenalty(activation=activation_penalty, temporal=temporal_penalty)
        layer = Forward if self.forward_only else Bidirectional
        widths = _widths(dim, num_layers, expansion)
        inputs = [2 * dim if input_feeding else dim, *widths[1:-1]]
        self.layers = nn.ModuleList(
            layer(
                cell=cell,
                input_dim=before,
                dim=after,
                weight_dropout=_probability(weight_dropout=weight_dropout),
            )
            for before, after in zip(inputs, widths[1:], strict=True)
        )
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
        numbered = numbers(document, inputs, seen, is_fresh=state is None)
        pieces = None if numbered is None else pieces_of(*numbered, causal=self.forward_only)
        dropped = self.input_dropout(self._embed(inputs))
        dropouts = [*[self.dropout] * (len(self.layers) - 1), self.output_dropout]
        if self.input_feeding:
            dropped = torch.cat((dropped, _fed(dropped, pieces, read)), dim=-1)
        after = []
        for layer, layer_state, dropout in zip(self.layers, before, dropouts, strict=True):
            states, last = layer(dropped, pieces, layer_state)
            dropped = dropout(states)
            after.append(last)
        seen = () if pieces is None else (pieces.last,)
        extras = Extras(losses=self.penalty(states, dropped, document))
        if self.reader is None or memory is None:
            return Output(dropped, (tuple(after), seen), extras)
        found, weights, cache = self.reader(dropped, document, memory, tuple(read[1:]), with_attention)
        if self.input_feeding:
            is_real = None if pieces is None else pieces.forward[0].is_real
            read = [held(found[:, 0], is_real, read[0] if read else None), *cache]
        extras.cross_attention = () if weights is None else (weights,)
        return Output(found, (tuple(after), seen, *read), extras)

    def layer_widths(self) -> tuple[tuple[int, ...], ...]:
        return widths_of(self.layers, self.dim * (2 if self.input_feeding else 1))

    def begin(self, layers: tuple[tuple[Float[Tensor, "batch width"], ...], ...]) -> State:
        return layers, ()

    def _embed(
        self, inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"]
    ) -> Float[Tensor, "batch time dim"]:
        if inputs.is_floating_point():
            states = inputs
        else:
            states = self.embedding_dropout(self.embedding(inputs), inputs, self.embedding.num_embeddings)
        if states.shape[-1] != self.dim:
            raise Mistake(f"features are {states.shape[-1]} wide, but model.dim={self.dim}; set it to their width")
        return states


def _widths(dim: int, num_layers: int, expansion: float) -> list[int]:
    """What the layers read and write: the first reads the embedding, the last is as wide again (Merity et al. 2018, 4.5)."""
    hidden = 2 * round(expansion * dim / 2) if expansion != 1 else dim  # even, for two directions
    if num_layers < 1:
        raise Mistake(f"model.num_layers={num_layers} leaves no layer; set it to 1 or more")
    if hidden < 1:
        raise Mistake(f"model.expansion={expansion} leaves no width of model.dim={dim}; set it to 1.0 or more")
    return [dim, *[hidden] * (num_layers - 1), dim]


def _probability(**named: float | None) -> float:
    """The last that is given, each by the name of its key."""
    found = 0.0
    for name, value in named.items():
        if value is not None and not 0 <= value <= 1:
            raise Mistake(f"model.{name}={value} is not between 0 and 1; set it, for example, to 0.2")
        found = found if value is None else value
    return found


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
