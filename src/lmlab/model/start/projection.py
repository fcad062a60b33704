"""s_0 = tanh(W h_1): what an encoder holds at the source's first place starts the decoder (Bahdanau et al. 2015, A.2.2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Layered, Memory, Mistake, SequenceModel


class Projection(nn.Module):
    """A layer's tensors each from a map of their own; of any encoder, as it reads h_1 from the memory."""

    def __init__(self, *, encoder: SequenceModel, decoder: SequenceModel, backward_only: bool) -> None:
        super().__init__()
        if not isinstance(decoder, Layered):
            raise Mistake(
                "model/start=projection makes the state of each layer, and this decoder's state is not one for each; "
                "choose a recurrent one, such as model/decoder=gru, or model/start=null"
            )
        self.widths = decoder.layer_widths()
        self.backward_only = backward_only
        width = encoder.dim // 2 if backward_only else encoder.dim
        self.project = nn.Linear(width, sum(map(sum, self.widths)), bias=False)

    def forward(self, memory: Memory) -> tuple[tuple[Float[Tensor, "batch width"], ...], ...]:
        first = _first(memory)
        if self.backward_only:
            first = first[:, first.shape[1] // 2 :]
        parts = iter(
            torch.split(torch.tanh(self.project(first)), [one for layer in self.widths for one in layer], dim=1)
        )
        return tuple(tuple(next(parts) for _ in layer) for layer in self.widths)


def _first(memory: Memory) -> Float[Tensor, "batch dim"]:
    """The states at the first place that is no padding."""
    if memory.document is None:
        return memory.states[:, 0]
    place = (memory.document != 0).long().argmax(1)
    return memory.states[torch.arange(len(place), device=place.device), place]
