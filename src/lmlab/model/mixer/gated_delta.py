"""The gated delta rule: S_t = a_t (1 - b_t k_t k_t^T) S_(t-1) + b_t k_t v_t^T, o_t = S_t^T q_t (Yang et al. 2024, eq. 10).

The paper writes the transpose of S. Each position first takes away what the memory holds under its key, then writes.
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


class GatedDelta(nn.Module):
    """Gated DeltaNet's layer (Yang et al. 2024, section 3.4); its state is the convolution's window and S."""

    def __init__(
        self,
        *,
        dim: int,
        num_heads: int,
        key_expansion: float,
        value_expansion: float,
        conv_width: int,
        chunk_size: int,
    ) -> None:
        super().__init__()
        self.num_heads = positive(num_heads, key="num_heads", means="head")
        self.key_dim = head_width(dim=dim, num_heads=num_heads, expansion=key_expansion, key="key_expansion")
        self.value_dim = head_width(dim=dim, num_heads=num_heads, expansion=value_expansion, key="value_expansion")
        self.chunk_size = positive(chunk_size, key="chunk_size", means="position")
        keys, values = num_heads * self.key_dim, num_heads * self.value_dim
        self.mixed = [keys, keys, values]
        self.parts = [sum(self.mixed), values, num_heads, num_heads]  # q, k and v; gate; b; step of the decay
        self.input = nn.Linear(dim, sum(self.parts), bias=False)
        self.convolution = ShortConvolution(channels=sum(self.mixed), width=conv_width, bias=False)
        self.decay = Decay(num_heads=num_heads)
        self.norm = RmsNorm(dim=self.value_dim, eps=1e-6)
        self.output = nn.Linear(values, dim, bias=False)

    def forward(
        self, states: Float[Tensor, "batch time dim"], state: tuple[Tensor, ...] | None, course: Course | None
    ) -> tuple[Float[Tensor, "batch time dim"], tuple[Tensor, ...]]:
        window, memory = (None, None) if state is None else state
        mixed, gate, raw_rate, raw_step = torch.split(self.input(states), self.parts, dim=-1)
        mixed, window = self.convolution(mixed, window, course)
        queries, keys, values = (
            part.view(*states.shape[:2], self.num_heads, -1) for part in torch.split(F.silu(mixed), self.mixed, dim=-1)
        )
        _, log_decay = self.decay(raw_step, course)
        rate = raw_rate.to(log_decay.dtype).sigmoid()
        if course is not None:
            rate = rate.masked_fill(~course.is_real[..., None], 0.0)
        queries, keys = (unit(part.to(log_decay.dtype)) for part in (queries, keys))
        outputs, memory = scan(
            queries * self.key_dim**-0.5, keys, values, rate, log_decay, memory, course, chunk_size=self.chunk_size
        )
        gated = self.norm(outputs) * F.silu(gate.view(*states.shape[:2], self.num_heads, -1))
        return self.output(gated.flatten(2).to(self.output.weight.dtype)), (window, memory)


def unit(vectors: Float[Tensor, "*shape head_dim"]) -> Float[Tensor, "*shape head_dim"]:
    """x / sqrt(|x|^2 + 1e-6), which has a gradient at 0 too."""
    return vectors * torch.rsqrt(vectors.square().sum(-1, keepdim=True) + 1e-6)


def scan(
    queries: Float[Tensor, "batch time heads key_dim"],
    keys: Float[Tensor, "batch time heads key_dim"],
    values: Float[Tensor, "batch time heads value_dim"],
    rate: Float[Tensor, "batch time heads"],
    log_decay: Float[Tensor, "batch time heads"],
    state: Float[Tensor, "batch heads key_dim value_dim"] | None,
    course: Course | None,
    *,
    chunk_size: int,
) -> tuple[Float[Tensor, "batch time heads value_dim"], Float[Tensor, "batch heads key_dim value_dim"]]:
    """o_t = S_t^T q_t and the last S, in chunks by the WY form (Yang et al. 2024b, eq. 8 to 11, with decays).

    Within a chunk S_t is a sum of k_i u_i^T, each decayed. What a position writes, u_t, is b_t (v_t - what the memory
    before it holds under k_t): a triangular system of the chunk's positions, solved for all chunks at once, once for the
    values and once for what the state from before the chunk (known later) is multiplied by.
    """
    time, chunks = queries.shape[1], chunks_of(queries.shape[1], chunk_size)
    if time == 1 and state is not None:
        return step(queries, keys, values, rate, log_decay, state, course)
    with without_autocast(queries.device):
        left = decays(log_decay, None if course is None else course.segment, chunks)
        q, k, v = (chunks.split(part.to(log_decay.dtype)).transpose(2, 3) for part in (queries, keys, values))
        b = chunks.split(rate).transpose(2, 3)[..., None]
        system = torch.einsum("zchtd,zchsd->zchts", b * k, k) * left.within  # below the diagonal, which is 1
        right = torch.cat((b * v, b * left.from_start[..., None] * k), dim=-1)
        solved = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)
        written, erased = torch.split(solved, [v.shape[-1], k.shape[-1]], dim=-1)
        lasting = (k * left.to_end[..., None]).transpose(3, 4)
        if state is None:
            state = v.new_zeros(v.shape[0], v.shape[2], k.shape[-1], v.shape[-1])
        before, updates = [], []
        along = (part.unbind(1) for part in (written, erased, lasting, left.whole[..., None, None]))
        for write, erase, keep, whole in zip(*along, strict=True):
            before.append(state.to(v.dtype))
            updates.append(write - erase @ before[-1])
            state = whole * before[-1] + keep @ updates[-1]
        scores = torch.einsum("zchtd,zchsd->zchts", q, k) * left.within
        within = torch.einsum("zchts,zchsd->zcthd", scores, torch.stack(updates, dim=1))
        carried = torch.einsum("zchtk,zchkd->zcthd", q * left.from_start[..., None], torch.stack(before, dim=1))
        return (within + carried).flatten(1, 2)[:, :time], state


def step(
    queries: Float[Tensor, "batch 1 heads key_dim"],
    keys: Float[Tensor, "batch 1 heads key_dim"],
    values: Float[Tensor, "batch 1 heads value_dim"],
    rate: Float[Tensor, "batch 1 heads"],
    log_decay: Float[Tensor, "batch 1 heads"],
    state: Float[Tensor, "batch heads key_dim value_dim"],
    course: Course | None,
) -> tuple[Float[Tensor, "batch 1 heads value_dim"], Float[Tensor, "batch heads key_dim value_dim"]]:
    """One position by the recurrence itself: when tokens are generated, a chunk of one would only take more calls."""
    query, key = queries[:, 0, :, :, None], keys[:, 0, :, :, None]
    state = kept(log_decay, course)[..., None, None] * state
    update = rate[:, 0, :, None] * (values[:, 0] - (key * state).sum(dim=2))
    state = state + key * update[:, :, None]
    return (query * state).sum(dim=2)[:, None], state
