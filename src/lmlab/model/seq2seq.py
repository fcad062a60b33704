"""p(target | source) = prod_t p(y_t | y_<t, source): an encoder, and a decoder that reads it (Sutskever et al. 2014, eq. 1).

Without cross-attention all that the decoder knows of the source is the state that it starts from.
"""

from dataclasses import replace

from jaxtyping import Float, Int
from torch import Tensor, nn

from lmlab.model.start.last import Last
from lmlab.types import (
    AttentionFactory,
    Extras,
    Layered,
    Memory,
    Mistake,
    ModelFactory,
    Output,
    SequenceModel,
    Start,
    StartFactory,
    State,
)


class Seq2Seq(nn.Module):
    """The decoder's states given the memory that `encode` made of the source; its state is the decoder's."""

    causal = True

    def __init__(  # more than 8 arguments: what data and task decide, and what the user does
        self,
        *,
        vocab_size: int,
        causal: bool,
        memory_dim: int | None = None,
        source_vocab_size: int | None = None,
        dim: int,
        num_layers: int,
        dropout: float,
        causal_encoder: bool,
        reverse_source: bool,
        tie_embeddings: bool,
        encoder: ModelFactory,
        decoder: ModelFactory,
        start: StartFactory | None,
        cross_attention: AttentionFactory | None,
    ) -> None:
        """dim, num_layers and dropout are those of both sides; the sides have them, and cross_attention, from the YAML.

        Args:
            vocab_size: Of the target, and of the source where source_vocab_size is None.
        """
        super().__init__()
        if not causal or memory_dim is not None:
            raise Mistake(
                "model=seq2seq writes a target from left to right, and reads a source of its own; "
                "where an encoder or a decoder alone is needed choose another, such as transformer or lstm"
            )
        source_size = vocab_size if source_vocab_size is None else source_vocab_size
        self.encoder: SequenceModel = encoder(vocab_size=source_size, causal=causal_encoder)
        self.reads_memory = cross_attention is not None
        memory_dim = self.encoder.dim if self.reads_memory else None
        self.decoder: SequenceModel = decoder(vocab_size=vocab_size, causal=True, memory_dim=memory_dim)
        self.dim = self.decoder.dim
        self.state_grows = self.decoder.state_grows
        self.reverse_source = reverse_source
        if start is None and cross_attention is None:
            start = Last
        self.start: Start | None = None if start is None else start(encoder=self.encoder, decoder=self.decoder)
        if tie_embeddings:
            _tie(self.encoder, self.decoder)

    @property
    def embedding(self) -> nn.Embedding:
        """The target's, which a head may share."""
        return self.decoder.embedding

    @property
    def source_embedding(self) -> nn.Embedding:
        return self.encoder.embedding

    def encode(
        self,
        source: Int[Tensor, "batch source"] | Float[Tensor, "batch source width"],
        document: Int[Tensor, "batch source"] | None = None,
        *,
        with_attention: bool = False,
    ) -> Memory:
        if self.start is not None and document is not None and not document.is_meta and bool((document > 1).any()):
            raise Mistake(
                "a decoder that starts from the encoder's state takes one source in a row, and this row holds several; "
                "set model/start=null, or batch.packing=false"
            )
        ids = None if source.is_floating_point() else source
        if self.reverse_source:
            source, document = source.flip(1), None if document is None else document.flip(1)
        output = self.encoder(source, document, with_attention=with_attention)
        memory = Memory(output.states, document, output.state if self.start is not None else None, output.extras, ids)
        if not self.reverse_source:
            return memory
        return replace(memory, states=memory.states.flip(1), document=None if document is None else document.flip(1))

    def forward(
        self,
        inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"],
        document: Int[Tensor, "batch time"] | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        if memory is None:
            raise Mistake(
                "model=seq2seq reads a source, and this task has none; "
                "choose a task with a source and a target, or a model such as transformer or lstm"
            )
        if state is None and self.start is not None:
            assert isinstance(self.decoder, Layered)
            state = self.decoder.begin(self.start(memory))
        return self.decoder(
            inputs, document, memory if self.reads_memory else None, state, with_attention=with_attention
        )

    def of_pair(
        self,
        source: Int[Tensor, "batch source"] | Float[Tensor, "batch source width"],
        inputs: Int[Tensor, "batch time"] | Float[Tensor, "batch time dim"],
        source_document: Int[Tensor, "batch source"] | None = None,
        document: Int[Tensor, "batch time"] | None = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        memory = self.encode(source, source_document, with_attention=with_attention)
        output: Output = self(inputs, document, memory, with_attention=with_attention)
        return replace(output, extras=_joined(memory.extras, output.extras))


def _joined(encoder: Extras, decoder: Extras) -> Extras:
    """The decoder's, with the losses of both sides."""
    losses = {**{f"encoder_{name}": loss for name, loss in encoder.losses.items()}, **decoder.losses}
    return replace(decoder, losses=losses)


def _tie(encoder: SequenceModel, decoder: SequenceModel) -> None:
    """One embedding for both sides (Vaswani et al. 2017, 3.4)."""
    source, target = encoder.embedding.weight, decoder.embedding.weight
    if source.shape != target.shape:
        raise Mistake(
            f"model.tie_embeddings=true needs one vocabulary and one width, but the encoder's embedding is "
            f"{source.shape[0]} x {source.shape[1]} and the decoder's {target.shape[0]} x {target.shape[1]}; "
            "set model.tie_embeddings=false"
        )
    decoder.embedding.weight = source
