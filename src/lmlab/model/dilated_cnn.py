"""Residual blocks of dilated filters: the decoder and the encoder of ByteNet (Kalchbrenner et al. 2016, sections 3.2-3.6).

Left out: dynamic unfolding (section 3.1), which stacks a decoder on an encoder of the same length. Here a decoder reads a
memory by attention at its top, as a recurrent one does.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.dilated_block import DilatedBlock
from lmlab.model.numbers import numbers
from lmlab.model.recurrent import Reader
from lmlab.model.taps import rows_of
from lmlab.model.vectors import vectors
from lmlab.types import AttentionFactory, Extras, Memory, Mistake, ModuleFactory, Output, State


class DilatedCnn(nn.Module):
    """Ids or features -> states; its state is the last inputs of every layer's filter, and the document of each row."""

    state_grows = False

    def __init__(  # more than 8 arguments: what data and task decide, and what the user does
        self,
        *,
        vocab_size: int,
        causal: bool,
        memory_dim: int | None = None,
        dim: int,
        num_layers: int,
        kernel_size: int,
        max_dilation: int,
        dropout: float,
        norm: ModuleFactory,
        cross_attention: AttentionFactory | None,
    ) -> None:
        super().__init__()
        if dim % 2:
            raise Mistake(f"model.dim={dim} is odd, but the filters have half of it; set it to an even width")
        if num_layers < 1:
            raise Mistake(f"model.num_layers={num_layers} leaves no layer; set it to 1 or more")
        if kernel_size < 2:
            raise Mistake(f"model.kernel_size={kernel_size} reads no other place; set it to 2 or more")
        if max_dilation < 1:
            raise Mistake(f"model.max_dilation={max_dilation} is wrong: expected 1, 2, 4 ...; set it to 1 or more")
        self.dim = dim
        self.causal = causal
        self.embedding = nn.Embedding(vocab_size, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)  # so that logits of a tied head start near 1
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            DilatedBlock(dim=dim, kernel_size=kernel_size, dilation=dilation, causal=causal, norm=norm, dropout=dropout)
            for dilation in dilations(num_layers, max_dilation)
        )
        self.norm = norm(dim=dim)  # the blocks leave a sum that nothing has normalised
        self.reader = None if memory_dim is None else Reader(dim=dim, memory_dim=memory_dim, attention=cross_attention)

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
        assert state is None or self.causal, "an encoder sees its whole input at once"
        before, seen = ([None] * len(self.layers), ()) if state is None else state
        numbered = numbers(document, inputs, seen, is_fresh=state is None)
        rows = None if numbered is None else rows_of(*numbered)
        states = self.dropout(vectors(inputs, self.embedding))
        states = states if rows is None else rows.pack(states)
        after = []
        for layer, layer_state in zip(self.layers, before, strict=True):
            states, last = layer(states, rows, layer_state)
            after.append(last)
        states = self.norm(states if rows is None else rows.unpack(states))
        new_state = (tuple(after), () if rows is None else (rows.last,)) if self.causal else None
        if self.reader is None or memory is None:
            return Output(states, new_state)
        states, weights, _ = self.reader(states, document, memory, (), with_attention)
        return Output(states, new_state, Extras(cross_attention=() if weights is None else (weights,)))


def dilations(num_layers: int, largest: int) -> list[int]:
    """1, 2, 4 ... doubled with each layer up to the largest, then from 1 again."""
    found = [1]
    while len(found) < num_layers:
        found.append(1 if 2 * found[-1] > largest else 2 * found[-1])
    return found
