"""One layer of a model of linear recurrences: mixer, attention to a memory, feed-forward, each on a residual branch."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from lmlab.model.block import Branch
from lmlab.types import Attention, AttentionFactory, Course, Mask, Mixer, MixerFactory, Mixture, ModuleFactory


class MixerBlock(nn.Module):
    """Pre-norm (Xiong et al. 2020); an encoder has a second mixer that reads backward, and adds what both find."""

    def __init__(
        self,
        *,
        dim: int,
        causal: bool,
        memory_dim: int | None,
        mixer: MixerFactory,
        cross_attention: AttentionFactory | None,
        feedforward: ModuleFactory | None,
        norm: ModuleFactory,
        dropout: float,
    ) -> None:
        super().__init__()
        self.mixer: Mixer = mixer(dim=dim)
        self.backward_mixer: Mixer | None = None if causal else mixer(dim=dim)
        self.mixer_branch = Branch(norm=norm(dim=dim), norm_first=True, dropout=dropout)
        self.cross_attention: Attention | None = None
        if memory_dim is not None and cross_attention is not None:
            self.cross_attention = cross_attention(dim=dim, memory_dim=memory_dim)
            self.cross_branch = Branch(norm=norm(dim=dim), norm_first=True, dropout=dropout)
        self.feedforward: nn.Module | None = None
        if feedforward is not None:
            self.feedforward = feedforward(dim=dim)
            self.has_experts = isinstance(self.feedforward, Mixture)
            self.feedforward_branch = Branch(norm=norm(dim=dim), norm_first=True, dropout=dropout)

    def forward(
        self, states: Float[Tensor, "batch time dim"], state: tuple[Tensor, ...] | None, scene: "Scene"
    ) -> "Step":
        inputs = self.mixer_branch.enter(states)
        update, state = self.mixer(inputs, state, scene.course)
        if self.backward_mixer is not None:
            back, _ = self.backward_mixer(inputs.flip(1), None, scene.backward_course)
            update = update + back.flip(1)
        states = self.mixer_branch.leave(states, update)
        cross_weights = None
        if self.cross_attention is not None and scene.memory is not None:
            update, _, cross_weights = self.cross_attention(
                self.cross_branch.enter(states), scene.memory, scene.memory_mask, with_weights=scene.with_weights
            )
            states = self.cross_branch.leave(states, update)
        losses: dict[str, Tensor] = {}
        if self.feedforward is not None:
            inputs = self.feedforward_branch.enter(states)
            if self.has_experts:
                update, losses = self.feedforward(inputs, None if scene.course is None else scene.course.is_real)
            else:
                update = self.feedforward(inputs)
            states = self.feedforward_branch.leave(states, update)
        return Step(states, state, cross_weights, losses)


class Scene(NamedTuple):
    """What all layers of one forward share."""

    course: Course | None
    backward_course: Course | None
    memory: Tensor | None
    memory_mask: Mask
    with_weights: bool


class Step(NamedTuple):
    """What a layer makes of its inputs."""

    states: Tensor
    state: tuple[Tensor, ...]
    cross_weights: Tensor | None
    losses: dict[str, Tensor]
