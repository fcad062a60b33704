"""sum_i g_i(x) E_i(x) over the experts that a router chooses for each token (Shazeer et al. 2017, eq. 2; Fedus et al. 2021).

Tokens are sorted by expert and each expert is computed on its own, however many they are: none is dropped, and nothing is
padded (Gale et al. 2022, MegaBlocks). Left out: a balance without loss by biases that follow the load (DeepSeek-V3), which
would be a state beside weights and optimizer.
"""

import logging
from functools import cache
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmlab.model.feedforward.routing import balance_loss, within_capacity, z_loss
from lmlab.types import Mistake, Mixture, ModuleFactory

log = logging.getLogger(__name__)


class Experts(nn.Module):
    """A mixture of feed-forwards, with a router in float32 and its losses, which training alone asks for."""

    def __init__(  # more than 8 arguments: the published choices of a router, each a key
        self,
        *,
        dim: int,
        expert: ModuleFactory,
        num_experts: int,
        num_shared: int,
        top_k: int,
        normalize: bool,
        balance_weight: float,
        balance_within: Literal["sequence", "batch"],
        z_weight: float,
        capacity_factor: float | None,
    ) -> None:
        super().__init__()
        _check(num_experts, num_shared, top_k, normalize, capacity_factor)
        self.num_experts, self.top_k, self.normalize = num_experts, top_k, normalize
        self.balance_weight, self.balance_within, self.z_weight = balance_weight, balance_within, z_weight
        self.capacity_factor = capacity_factor
        self.router = nn.Linear(dim, num_experts, bias=False)
        self.experts = nn.ModuleList(expert(dim=dim) for _ in range(num_experts))
        self.shared = nn.ModuleList(expert(dim=dim) for _ in range(num_shared))
        if any(isinstance(one, Mixture) for one in self.experts):
            raise Mistake("model.feedforward.expert is a mixture of experts itself; choose one such as mlp or swiglu")

    def forward(
        self, states: Float[Tensor, "batch time dim"], is_real: Bool[Tensor, "batch time"] | None = None
    ) -> tuple[Float[Tensor, "batch time dim"], dict[str, Tensor]]:
        if is_real is None:
            is_real = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        logits = self._logits(states)
        probabilities = logits.softmax(-1)
        weights, choice = probabilities.topk(self.top_k)
        if self.normalize:
            weights = weights / weights.sum(-1, keepdim=True)
        chosen = self._chosen(states.flatten(0, 1), choice.flatten(0, 1), is_real.flatten()).view(
            *choice.shape, -1
        )  # [batch, time, chosen, dim]
        outputs = (chosen * weights[..., None].to(chosen.dtype)).sum(-2)
        for shared in self.shared:
            outputs = outputs + shared(states)
        return outputs, self._losses(logits, probabilities, choice, is_real) if self.training else {}

    def _logits(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time experts"]:
        """In float32 also under autocast (Fedus et al. 2021, 2.4: selective precision)."""
        with torch.autocast("cpu" if states.is_meta else states.device.type, enabled=False):
            return F.linear(states.float(), self.router.weight.float())

    @torch.compiler.disable  # the shapes are those of the data, another in every step
    def _chosen(
        self,
        states: Float[Tensor, "tokens dim"],
        choice: Int[Tensor, "tokens chosen"],
        is_real: Bool[Tensor, " tokens"],
    ) -> Float[Tensor, "places dim"]:
        """Each token's output of each of its experts; 0 where an expert had no room."""
        expert_of = choice.flatten()
        order = expert_of.argsort(stable=True)
        if self.capacity_factor is not None and self.training and not choice.is_meta:
            warn_of_capacity(self.capacity_factor)
            has_room = within_capacity(choice, is_real, num_experts=self.num_experts, factor=self.capacity_factor)
            order = order[has_room.flatten()[order]]
        # copies in rows of their own, so that no gradient is added up in an order that a GPU may choose
        copies = states[:, None].expand(-1, choice.shape[1], -1).flatten(0, 1)
        parts = torch.split(copies.index_select(0, order), self._sizes(expert_of.index_select(0, order)))
        outputs = torch.cat([expert(part[None])[0] for expert, part in zip(self.experts, parts, strict=True)])
        return outputs.new_zeros(len(expert_of), outputs.shape[-1]).index_copy(0, order, outputs)

    def _sizes(self, expert_of: Int[Tensor, " places"]) -> list[int]:
        """How many tokens each expert is given; on the meta device, where none can know, all the same."""
        if not expert_of.is_meta:
            return [int(size) for size in expert_of.bincount(minlength=self.num_experts).tolist()]
        edges = [len(expert_of) * index // self.num_experts for index in range(self.num_experts + 1)]
        return [end - start for start, end in pairwise(edges)]

    def _losses(
        self,
        logits: Float[Tensor, "batch time experts"],
        probabilities: Float[Tensor, "batch time experts"],
        choice: Int[Tensor, "batch time chosen"],
        is_real: Bool[Tensor, "batch time"],
    ) -> dict[str, Tensor]:
        """Those with a weight, times it."""
        if self.balance_within == "batch":
            logits, probabilities, choice = (one.flatten(0, 1)[None] for one in (logits, probabilities, choice))
            is_real = is_real.flatten()[None]
        losses = {}
        if self.balance_weight:
            losses["balance"] = self.balance_weight * balance_loss(probabilities, choice, is_real)
        if self.z_weight:
            losses["router_z"] = self.z_weight * z_loss(logits, is_real)
        return losses


def _check(num_experts: int, num_shared: int, top_k: int, normalize: bool, capacity_factor: float | None) -> None:
    group = "model.feedforward"
    if num_experts < 1:
        raise Mistake(f"{group}.num_experts={num_experts} leaves no expert; set it to 1 or more")
    if num_shared < 0:
        raise Mistake(f"{group}.num_shared={num_shared} is no number of experts; set it to 0 or more")
    if not 1 <= top_k <= num_experts:
        raise Mistake(f"{group}.top_k={top_k} of {group}.num_experts={num_experts}; set it to 1 up to {num_experts}")
    if top_k == 1 and normalize:
        raise Mistake(
            f"{group}.top_k=1 with {group}.normalize=true weighs every expert 1, so that its choice is not learned; "
            f"set {group}.normalize=false, as the Switch Transformer does"
        )
    if capacity_factor is not None and capacity_factor <= 0:
        raise Mistake(f"{group}.capacity_factor={capacity_factor} leaves no room; set it above 0, or to null")


@cache
def warn_of_capacity(factor: float) -> None:
    """Once: which laws do not hold in training; evaluation and decoding drop nothing, so that they hold there."""
    log.warning(
        "model.feedforward.capacity_factor=%s: in training, experts that are full drop tokens, so a token's output depends on "
        "the other tokens of its pass, also later ones, and a step on how it is cut into passes and ranks; evaluation and "
        "decoding drop none",
        factor,
    )
