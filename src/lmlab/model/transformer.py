"""The Transformer (Vaswani et al. 2017): decoder, encoder and conditional decoder, pre-norm or post-norm."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.block import Block, Scene, Step
from lmlab.model.fit import check
from lmlab.model.mask import cross_mask, self_mask
from lmlab.model.timeline import Timeline, latest, whole
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
    """Ids or features -> states; its state is every layer's, and what a Timeline has to know of the places before."""

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
        self.state_grows = heads.state_grows
        check(heads, self.position, pattern, kinds=set(self.kinds), causal=causal)
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
        nothing = [None] * len(self.kinds)
        caches, seen, *read = (nothing, ()) if state is None else state
        line = self._timeline(inputs, document, caches, seen)
        scene = Scene(
            rotate=self.position.rotation(line.query),
            memory=None if memory is None else memory.states,
            memory_mask=Mask() if memory is None else cross_mask(document, memory),
            is_real=None if line.document is None else line.document[:, -inputs.shape[1] :] != 0,
            with_weights=with_attention,
        )
        masks = self._masks(line)
        embedded = self.position.embed(self._embed(inputs), line.query)
        states = self.dropout(self.embedding_norm(embedded))
        steps = []
        for block, kind, cache, made in zip(self.blocks, self.kinds, caches, read[0] if read else nothing, strict=True):
            steps.append(block(states, masks[kind], cache, scene, made))
            states = steps[-1].states
        return Output(self.norm(states), self._state(steps, line) if self.causal else None, _extras(steps))

    def _state(self, steps: list[Step], line: Timeline) -> State:
        """Each layer's, what is known of the places, and where there is a memory what each layer has made of it."""
        caches, read = tuple(step.cache for step in steps), tuple(step.read for step in steps)
        return (caches, line.seen) if self.memory_dim is None else (caches, line.seen, read)

    def _timeline(
        self,
        inputs: Tensor,
        document: Tensor | None,
        caches: Sequence[tuple[Tensor, ...] | None],
        seen: tuple[Tensor, ...],
    ) -> Timeline:
        batch, time = inputs.shape[:2]
        if not self.state_grows:
            return latest(document, seen, batch=batch, time=time, device=inputs.device)
        offset = 0 if caches[0] is None else caches[0][0].shape[-2]
        return whole(document, seen, time=time, offset=offset, device=inputs.device)

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

    def _masks(self, line: Timeline) -> dict[int, Mask]:
        """One mask for each kind of layer."""
        time, total = line.query.shape[1], line.key.shape[1]
        limit = self.position.max_length
        if limit is not None and total > limit:
            raise Mistake(
                f"{total} positions, but model.position.max_length={limit}; raise it, or choose model/position=rotary"
            )
        if not self.state_grows:
            mask = Mask(is_causal=self.causal, document=line.document, before=line.before)
            return dict.fromkeys(self.kinds, mask)
        bias, relation = self.position.bias(line.query, line.key), self.position.relation(line.query, line.key)
        return {
            kind: self_mask(
                causal=self.causal,
                query=time,
                key=total,
                device=line.key.device,
                document=line.document,
                pattern=self.pattern.allowed(line.query, line.key, kind),
                bias=bias,
                relation=relation,
            )
            for kind in set(self.kinds)
        }


def _extras(steps: list[Step]) -> Extras:
    """Weights by layer; losses as the mean of all layers, which are made alike."""
    return Extras(
        attention=tuple(step.weights for step in steps if step.weights is not None),
        cross_attention=tuple(step.cross_weights for step in steps if step.cross_weights is not None),
        losses={name: torch.stack([step.losses[name] for step in steps]).mean() for name in steps[0].losses},
    )


def _initialise(model: nn.Module, *, std: float, output_std: float) -> None:
    """Normal weights and no biases; the last map of each residual branch, called `output`, smaller (GPT-2, 2.3)."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=output_std if name.endswith("output") else std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
