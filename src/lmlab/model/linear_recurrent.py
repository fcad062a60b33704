"""A stack of layers whose memory is a matrix that each position changes linearly (Dao and Gu 2024; Yang et al. 2024).

The recurrence is a choice of its own, the mixer: computed in chunks in one pass, token by token with its state.
"""

import math

from jaxtyping import Float, Int
from torch import Tensor, nn, stack

from lmlab.model.course import Reading, reading_of
from lmlab.model.mask import cross_mask
from lmlab.model.mixer_block import MixerBlock, Scene, Step
from lmlab.model.numbers import numbers
from lmlab.model.vectors import vectors
from lmlab.types import (
    AttentionFactory,
    Extras,
    Mask,
    Memory,
    Mistake,
    MixerFactory,
    ModuleFactory,
    Output,
    State,
)


class LinearRecurrent(nn.Module):
    """Ids or features -> states; its state is every layer's, and the document that each row was in."""

    state_grows = False

    def __init__(  # more than 8 arguments: what data and task decide, and the parts, each a choice of its own
        self,
        *,
        vocab_size: int,
        causal: bool,
        memory_dim: int | None = None,
        dim: int,
        num_layers: int,
        dropout: float,
        init_std: float,
        mixer: MixerFactory,
        cross_attention: AttentionFactory | None,
        norm: ModuleFactory,
        feedforward: ModuleFactory | None,
    ) -> None:
        super().__init__()
        if memory_dim is not None and cross_attention is None:
            raise Mistake(
                "model.cross_attention=null, but a decoder that reads an encoder needs one; "
                "choose model/cross_attention=scaled_dot"
            )
        if num_layers < 1:
            raise Mistake(f"model.num_layers={num_layers} leaves no layer; set it to 1 or more")
        self.dim = dim
        self.causal = causal
        self.memory_dim = memory_dim
        self.embedding = nn.Embedding(vocab_size, dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            MixerBlock(
                dim=dim,
                causal=causal,
                memory_dim=memory_dim,
                mixer=mixer,
                cross_attention=cross_attention,
                feedforward=feedforward,
                norm=norm,
                dropout=dropout,
            )
            for _ in range(num_layers)
        )
        self.norm = norm(dim=dim)
        self._initialise(std=init_std, output_std=init_std / math.sqrt(2 * num_layers))

    def forward(
        self,
        inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"],
        document: Int[Tensor, "batch time"] | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        assert (memory is None) == (self.memory_dim is None), "memory goes with a model built with memory_dim"
        assert state is None or self.causal, "an encoder sees its whole input at once"
        before: State = ([None] * len(self.blocks), ()) if state is None else state
        numbered = numbers(document, inputs, before[1], is_fresh=state is None)
        reading = None if numbered is None else reading_of(*numbered)
        scene = Scene(
            course=None if reading is None else reading.forward,
            backward_course=None if reading is None else reading.backward,
            memory=None if memory is None else memory.states,
            memory_mask=Mask() if memory is None else cross_mask(_numbers(document, reading), memory),
            with_weights=with_attention,
        )
        states = self.dropout(vectors(inputs if reading is None else reading.arranged(inputs), self.embedding))
        steps = []
        for block, layer_state in zip(self.blocks, before[0], strict=True):
            steps.append(block(states, layer_state, scene))
            states = steps[-1].states
        states = self.norm(states if reading is None else reading.restored(states))
        return Output(states, self._state(steps, reading), _extras(steps, reading))

    def _state(self, steps: list[Step], reading: Reading | None) -> State:
        """Each layer's, and the row's last document if it has any; an encoder carries nothing on."""
        return (
            (tuple(step.state for step in steps), () if reading is None else (reading.last,)) if self.causal else None
        )

    def _initialise(self, *, std: float, output_std: float) -> None:
        """Normal weights, the last map of each residual branch, called `output`, smaller; decays, filters keep theirs."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=output_std if name.endswith("output") else std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


def _numbers(document: Tensor | None, reading: Reading | None) -> Int[Tensor, "batch time"] | None:
    """The call's own document numbers in the reading's order: a call without them reads all of the memory."""
    return None if document is None or reading is None else reading.document


def _extras(steps: list[Step], reading: Reading | None) -> Extras:
    """Weights by layer, in the order of the call; losses as the mean of all layers, which are made alike."""
    weights = [step.cross_weights for step in steps if step.cross_weights is not None]
    return Extras(
        cross_attention=tuple(one if reading is None else reading.restored(one, axis=2) for one in weights),
        losses={name: stack([step.losses[name] for step in steps]).mean() for name in steps[0].losses},
    )
