"""One layer of a Transformer: self-attention, attention to a memory, feed-forward (Vaswani et al. 2017, fig. 1)."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.types import Attention, AttentionFactory, Mask, Mixture, ModuleFactory


class Block(nn.Module):
    """Each part on its own residual branch; the cross-attention is there where a memory_dim is given."""

    def __init__(
        self,
        *,
        dim: int,
        memory_dim: int | None,
        attention: AttentionFactory,
        cross_attention: AttentionFactory | None,
        feedforward: ModuleFactory,
        norm: ModuleFactory,
        norm_first: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention: Attention = attention(dim=dim, memory_dim=None)
        self.attention_branch = Branch(norm=norm(dim=dim), norm_first=norm_first, dropout=dropout)
        self.cross_attention: Attention | None = None
        if memory_dim is not None and cross_attention is not None:
            self.cross_attention = cross_attention(dim=dim, memory_dim=memory_dim)
            self.cross_branch = Branch(norm=norm(dim=dim), norm_first=norm_first, dropout=dropout)
        self.feedforward = feedforward(dim=dim)
        self.has_experts = isinstance(self.feedforward, Mixture)
        self.feedforward_branch = Branch(norm=norm(dim=dim), norm_first=norm_first, dropout=dropout)

    def forward(
        self,
        states: Float[Tensor, "batch time dim"],
        mask: Mask,
        cache: tuple[Tensor, ...] | None,
        scene: "Scene",
        read: tuple[Tensor, ...] | None = None,
    ) -> "Step":
        """With `read`, what an earlier call made of the memory, its keys and values are not made again."""
        inputs = self.attention_branch.enter(states)
        update, cache, weights = self.attention(
            inputs, inputs, mask, cache, rotate=scene.rotate, with_weights=scene.with_weights
        )
        states = self.attention_branch.leave(states, update)
        cross_weights = None
        if self.cross_attention is not None and scene.memory is not None:
            inputs, unread = self.cross_branch.enter(states), scene.memory[:, :0] if read else scene.memory
            update, read, cross_weights = self.cross_attention(
                inputs, unread, scene.memory_mask, read or None, with_weights=scene.with_weights
            )
            states = self.cross_branch.leave(states, update)
        inputs, losses = self.feedforward_branch.enter(states), {}
        if self.has_experts:
            update, losses = self.feedforward(inputs, scene.is_real)
        else:
            update = self.feedforward(inputs)
        return Step(self.feedforward_branch.leave(states, update), cache, read, weights, cross_weights, losses)


class Scene(NamedTuple):
    """What all layers of one forward share."""

    rotate: Callable[[Tensor], Tensor] | None
    memory: Tensor | None
    memory_mask: Mask
    is_real: Tensor | None
    """True [batch, time] where there is no padding; None: everywhere."""
    with_weights: bool


class Step(NamedTuple):
    """What a layer makes of its inputs."""

    states: Tensor
    cache: tuple[Tensor, ...]
    read: tuple[Tensor, ...] | None
    """What the attention to a memory has made of it."""
    weights: Tensor | None
    cross_weights: Tensor | None
    losses: dict[str, Tensor]


class Branch(nn.Module):
    """x + f(norm(x)) (pre-norm: Xiong et al. 2020), or norm(x + f(x)) (post-norm: Vaswani et al. 2017)."""

    def __init__(self, *, norm: nn.Module, norm_first: bool, dropout: float) -> None:
        super().__init__()
        self.norm = norm
        self.norm_first = norm_first
        self.dropout = nn.Dropout(dropout)

    def enter(self, states: Float[Tensor, "batch time dim"]) -> Float[Tensor, "batch time dim"]:
        """What f reads."""
        inputs: Tensor = self.norm(states) if self.norm_first else states
        return inputs

    def leave(
        self, states: Float[Tensor, "batch time dim"], update: Float[Tensor, "batch time dim"]
    ) -> Float[Tensor, "batch time dim"]:
        """What the next part reads."""
        states = states + self.dropout(update)
        return states if self.norm_first else self.norm(states)
