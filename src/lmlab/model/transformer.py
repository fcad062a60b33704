"""The Transformer (Vaswani et al. 2017): decoder, encoder and conditional decoder, pre-norm or post-norm."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.block import Block, Scene, Step
from lmlab.model.mask import cross_mask, places_in, self_mask
from lmlab.types import (
    AttentionFactory,
    Extras,
    Mask,
    Memory,
    Mistake,
    ModuleFactory,
    Output,
    Pattern,
    Position,
    PositionFactory,
    State,
)


class Transformer(nn.Module):
    """Ids or features -> states; its state is every layer's keys and values, and the document numbers seen so far."""

    state_grows = True

    def __init__(  # more than 8 arguments: a Transformer is its parts, and each of them is a choice of its own
        self,
        *,
        vocab_size: int,
        causal: bool,
        memory_dim: int | None = None,
        dim: int,
        num_layers: int,
        dropout: float,
        norm_first: bool,
        scale_embedding: bool,
        norm_embedding: bool,
        init_std: float,
        attention: AttentionFactory,
        cross_attention: AttentionFactory | None,
        pattern: Pattern,
        position: PositionFactory,
        norm: ModuleFactory,
        feedforward: ModuleFactory,
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
        self.scale = math.sqrt(dim) if scale_embedding else 1.0
        self.embedding_norm = norm(dim=dim) if norm_embedding else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        blocks = [
            Block(
                dim=dim,
                memory_dim=memory_dim,
                attention=attention,
                cross_attention=cross_attention,
                feedforward=feedforward,
                norm=norm,
                norm_first=norm_first,
                dropout=dropout,
            )
            for _ in range(num_layers)
        ]
        self.pattern = pattern
        self.kinds = [pattern.kind(layer) for layer in range(num_layers)]
        heads = blocks[0].attention
        self.position: Position = position(dim=dim, head_dim=heads.head_dim, num_heads=heads.num_heads, causal=causal)
        self.blocks = nn.ModuleList(blocks)
        self.norm = norm(dim=dim) if norm_first else nn.Identity()  # post-norm has one at its last layer's end
        _initialise(self, std=init_std, output_std=init_std / math.sqrt(2 * num_layers))

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
        before: State = ([None] * len(self.kinds), ()) if state is None else state
        caches, seen = before
        time, offset = inputs.shape[1], 0 if state is None else caches[0][0].shape[2]
        row = _row(document, seen, time, offset)
        places = torch.arange(offset + time, device=inputs.device)[None] if row is None else places_in(row)
        scene = Scene(
            rotate=self.position.rotation(places[:, offset:]),
            memory=None if memory is None else memory.states,
            memory_mask=Mask() if memory is None else cross_mask(document, memory),
            with_weights=with_attention,
        )
        masks = self._masks(places, row, time)
        embedded = self.position.embed(self._embed(inputs), places[:, offset:])
        states = self.dropout(self.embedding_norm(embedded))
        steps = []
        for block, kind, cache in zip(self.blocks, self.kinds, caches, strict=True):
            steps.append(block(states, masks[kind], cache, scene))
            states = steps[-1].states
        return Output(self.norm(states), self._state(steps, row), _extras(steps))

    def _state(self, steps: list[Step], row: Tensor | None) -> State:
        """Keys and values by layer, and the row's document numbers if it has any; an encoder carries nothing on."""
        return (tuple(step.cache for step in steps), () if row is None else (row,)) if self.causal else None

    def _embed(
        self, inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"]
    ) -> Float[Tensor, "batch time dim"]:
        if not inputs.is_floating_point():
            inputs = self.embedding(inputs)
        if inputs.shape[-1] != self.dim:
            raise Mistake(
                f"features are {inputs.shape[-1]} wide, but model.dim={self.dim}; set it to the features' width"
            )
        return inputs if self.scale == 1.0 else inputs * self.scale

    def _masks(
        self, places: Int[Tensor, "rows total"], row: Int[Tensor, "batch total"] | None, time: int
    ) -> dict[int, Mask]:
        """One mask for each kind of layer."""
        total = places.shape[1]
        limit = self.position.max_length
        if limit is not None and total > limit:
            raise Mistake(
                f"{total} positions, but model.position.max_length={limit}; raise it, or choose model/position=rotary"
            )
        query = places[:, -time:]
        bias = self.position.bias(query, places)
        return {
            kind: self_mask(
                causal=self.causal,
                query=time,
                key=total,
                device=places.device,
                document=row,
                pattern=self.pattern.allowed(query, places, kind),
                bias=bias,
            )
            for kind in set(self.kinds)
        }


def _row(
    document: Int[Tensor, "batch time"] | None, seen: tuple[Tensor, ...], time: int, offset: int
) -> Int[Tensor, "batch total"] | None:
    """The document numbers of this call behind those seen before; a call without numbers is document 1."""
    if not seen and (document is None or offset == 0):
        return document
    known = seen[0] if document is None else document
    before = seen[0] if seen else known.new_ones(known.shape[0], offset)
    now = known.new_ones(known.shape[0], time) if document is None else document
    return torch.cat((before, now), dim=1)


def _extras(steps: list[Step]) -> Extras:
    return Extras(
        attention=tuple(step.weights for step in steps if step.weights is not None),
        cross_attention=tuple(step.cross_weights for step in steps if step.cross_weights is not None),
    )


def _initialise(model: nn.Module, *, std: float, output_std: float) -> None:
    """Normal weights and no biases; the last map of each residual branch, called `output`, smaller (GPT-2, 2.3)."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=output_std if name.endswith("output") else std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
