"""Filters of several widths over word vectors (Kim 2014, section 2, eq. 2), before the maximum over time (eq. 3).

That maximum is the pooling of whoever classifies documents: a model gives a state for each place. A window stands around
its place, with zeros where it hangs over an end of the document. So the maximum over a document's states is Kim's
max-over-time of the document with (h - 1) / 2 zeros on each side of it for a filter of width h: never below that of the
document itself, the windows over its ends being the only ones more, and there is a state for documents shorter than h.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.encoder_only import refuse_decoding
from lmlab.model.filter import Filter
from lmlab.model.taps import rows_of, taps
from lmlab.model.vectors import vectors
from lmlab.types import Memory, Mistake, Output, State


class Cnn(nn.Module):
    """Ids or features -> ReLU(W x_{t:t+h} + b), the responses of all filters side by side; an encoder only."""

    state_grows = False

    def __init__(
        self,
        *,
        vocab_size: int,
        causal: bool,
        memory_dim: int | None = None,
        dim: int,
        widths: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        reason = "its filters read the places on both sides"
        refuse_decoding(causal=causal, memory_dim=memory_dim, model="cnn", reason=reason, instead="dilated_cnn")
        if not widths or min(widths) < 1:
            raise Mistake(f"model.widths={list(widths)} is wrong: expected widths from 1 up; set it to such as [3,4,5]")
        if dim < len(widths):
            raise Mistake(f"model.dim={dim} is less than one filter of each width; set it to {len(widths)} or more")
        self.dim = dim
        self.causal = causal
        self.embedding = nn.Embedding(vocab_size, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)  # so that logits of a tied head start near 1
        self.dropout = nn.Dropout(dropout)
        self.reach = [range(-((width - 1) // 2), width // 2 + 1) for width in widths]
        shares = [dim // len(widths) + (place < dim % len(widths)) for place in range(len(widths))]
        self.filters = nn.ModuleList(
            Filter(channels=dim, features=share, width=width) for share, width in zip(shares, widths, strict=True)
        )

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
        rows = None if document is None else rows_of(document, None)
        words = self.dropout(vectors(inputs, self.embedding))
        words = words if rows is None else rows.pack(words)
        shifts = range(min(one.start for one in self.reach), max(one.stop for one in self.reach))
        read = dict(zip(shifts, taps(words, shifts, rows), strict=True))
        responses = [
            part([read[shift] for shift in reach]) for part, reach in zip(self.filters, self.reach, strict=True)
        ]
        states = torch.relu(torch.cat(responses, dim=-1))
        return Output(states if rows is None else rows.unpack(states))
