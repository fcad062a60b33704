"""Mamba-2: S_t = a_t S_(t-1) + d_t B_t x_t^T, y_t = S_t^T C_t + D x_t for each head (Dao and Gu 2024, SSD, eq. 1 and section 7).

Left out: several groups of B and C, which the paper has for tensor parallelism alone.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.model.mixer.chunk import chunks_of, decays, kept, without_autocast
from lmlab.model.mixer.decay import Decay
from lmlab.model.mixer.short_convolution import ShortConvolution
from lmlab.model.mixer.width import head_width, positive
from lmlab.model.norm.rms_norm import RmsNorm
from lmlab.types import Course


class Mamba2(nn.Module):
    """A selective state space model with one decay per head; its state is the convolution's window and S."""

    def __init__(
        self, *, dim: int, num_heads: int, expansion: float, state_dim: int, conv_width: int, chunk_size: int
    ) -> None:
        super().__init__()
        self.num_heads = positive(num_heads, key="num_heads", means="head")
        self.head_dim = head_width(dim=dim, num_heads=num_heads, expansion=expansion, key="expansion")
        self.state_dim = positive(state_dim, key="state_dim", means="memory")
        self.chunk_size = positive(chunk_size, key="chunk_size", means="position")
        inner = num_heads * self.head_dim
        self.parts = [inner, inner + 2 * state_dim, num_heads]  # gate; x, B and C; step
        self.input = nn.Linear(dim, sum(self.parts), bias=False)
        self.convolution = ShortConvolution(channels=inner + 2 * state_dim, width=conv_width, bias=True)
        self.decay = Decay(num_heads=num_heads)
        self.skip = nn.Parameter(torch.ones(num_heads))  # D
        self.norm = RmsNorm(dim=inner, eps=1e-5)
        self.output = nn.Linear(inner, dim, bias=False)

    def forward(
        self, states: Float[Tensor, "batch time dim"], state: tuple[Tensor, ...] | None, course: Course | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        window, memory = (None, None) if state is None else state
        gate, mixed, raw_step = torch.split(self.input(states), self.parts, dim=-1)
        mixed, window = self.convolution(mixed, window, course)
        inner, keys, queries = torch.split(F.silu(mixed), [self.parts[0], self.state_dim, self.state_dim], dim=-1)
        inputs = inner.view(*inner.shape[:2], self.num_heads, self.head_dim)
        step, log_decay = self.decay(raw_step, course)
        outputs, memory = scan(
            inputs * step[..., None], keys, queries, log_decay, memory, course, chunk_size=self.chunk_size
        )
        outputs = outputs + self.skip[:, None] * inputs
        normed = self.norm(outputs.flatten(2) * F.silu(gate))
        return self.output(normed.to(self.output.weight.dtype)), (window, memory)


def scan(
    inputs: Float[Tensor, "batch time heads head_dim"],
    keys: Float[Tensor, "batch time state_dim"],
    queries: Float[Tensor, "batch time state_dim"],
    log_decay: Float[Tensor, "batch time heads"],
    state: Float[Tensor, "batch state_dim heads head_dim"] | None,
    course: Course | None,
    *,
    chunk_size: int,
) -> tuple[Float[Tensor, "batch time heads head_dim"], Float[Tensor, "batch state_dim heads head_dim"]]:
    """y_t = S_t^T q_t with S_t = a_t S_(t-1) + k_t x_t^T, and the last S (Dao and Gu 2024, listing 1)."""
    time, chunks = inputs.shape[1], chunks_of(inputs.shape[1], chunk_size)
    if time == 1 and state is not None:
        return step(inputs, keys, queries, log_decay, state, course)
    with without_autocast(inputs.device):
        left = decays(log_decay, None if course is None else course.segment, chunks)
        x, b, c = (chunks.split(part.to(log_decay.dtype)) for part in (inputs, keys, queries))
        scores = torch.einsum("zctn,zcsn->zcts", c, b)
        within = torch.einsum("zchts,zcshp->zcthp", scores[:, :, None] * left.within, x)
        added = torch.einsum("zcsn,zcshp->zcnhp", b, x * left.to_end.transpose(2, 3)[..., None])
        before = []
        state = torch.zeros_like(added[:, 0]) if state is None else state.to(added.dtype)
        for new, whole in zip(added.unbind(1), left.whole.unbind(1), strict=True):
            before.append(state)
            state = whole[:, None, :, None] * state + new
        carried = torch.einsum("zctn,zcnhp->zcthp", c, torch.stack(before, dim=1))
        outputs = within + carried * left.from_start.transpose(2, 3)[..., None]
        return outputs.flatten(1, 2)[:, :time], state


def step(
    inputs: Float[Tensor, "batch 1 heads head_dim"],
    keys: Float[Tensor, "batch 1 state_dim"],
    queries: Float[Tensor, "batch 1 state_dim"],
    log_decay: Float[Tensor, "batch 1 heads"],
    state: Float[Tensor, "batch state_dim heads head_dim"],
    course: Course | None,
) -> tuple[Float[Tensor, "batch 1 heads head_dim"], Float[Tensor, "batch state_dim heads head_dim"]]:
    """One position by the recurrence itself: when tokens are generated, a chunk of one would only take more calls."""
    state = kept(log_decay, course)[:, None, :, None] * state + keys[:, 0, :, None, None] * inputs[:, 0, None]
    return (queries[:, 0, :, None, None] * state).sum(dim=1)[:, None], state
