"""What the stages hand to each other: Examples, Batches, model Outputs, and the Protocols of the exchangeable parts.

Axis words, the same ones everywhere: batch, time, dim, vocab, heads, head_dim, query, key.
Nothing here imports torch, so that reports and the command line can read these types in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, no_type_check, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from torch import Tensor, nn

IGNORE = -100
"""The target of a position where nothing is predicted."""

EOS = "<eos>"
"""Ends every document; also stands before a split's first token, so that the loss covers every token."""

UNK = "<unk>"
"""What a tokenizer with a closed vocabulary writes for an unknown symbol."""

MASK = "<mask>"
"""Stands where a token was that is to be found again."""

SAMPLE_BREAK = "\n\n* * *\n\n"
"""Stands between the samples of one step in their file."""

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Mistake(ValueError):
    """A user's mistake: one sentence with the value, what was expected and the key to change. Exit code 2, no traceback."""


class Interrupted(Exception):
    """The run stopped before its end and can be resumed: one sentence says why and how. Exit code 3, no traceback."""


class Failed(Exception):
    """Training cannot go on as configured: one sentence says what happened and which key to change. Exit code 1."""


# Examples: what a data source yields.


@dataclass(frozen=True)
class Text:
    """One document of running text."""

    text: str

    @property
    def texts(self) -> tuple[str, ...]:
        """As examples of every type have it."""
        return (self.text,)


@runtime_checkable
class Source(Protocol):
    """Where examples come from; one class per file of `data/`."""

    @property
    def example(self) -> type:
        """The Example type that it yields."""

    def fingerprint(self) -> str:
        """A hash of the content of all splits: equal content, equal hash, wherever the files lie."""

    def read(self, split: Split) -> Iterator[Any]:
        """The examples of one split, in an order that never changes; empty where the data has no such split."""


@runtime_checkable
class Tokenizer(Protocol):
    """Text <-> ids; trained on the training split alone."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def eos(self) -> int: ...

    def encode(self, text: str) -> list[int]:
        """Ids of the text, without `<eos>`."""

    def decode(self, ids: list[int]) -> str: ...

    def save(self, path: str) -> None: ...


# Batches.


@no_type_check
@dataclass
class Batch:
    """One micro-batch of one data-parallel rank."""

    inputs: Tensor
    """Ids [batch, time], or features [batch, time, dim]."""
    targets: Tensor
    """Ids [batch, time], IGNORE where nothing is predicted."""
    num_targets: int
    """Targets of the whole step, over all ranks and micro-batches: what the step's summed loss is divided by."""
    document: Tensor | None = None
    """Integers [batch, time]: 0 is padding; positions attend and carry state only within their number."""
    rows: Tensor | None = None
    """Global row numbers [batch] of streams whose state is carried over from the step before; None: every row is fresh."""
    is_start: bool = True
    """Whether carried streams begin anew here, with an empty state."""
    place: Tensor | None = None
    """In evaluation: where in its split each target stands, integers as many as targets, from 0; None in training."""
    num_tokens: int | None = None
    """Of the whole step, for displays, where its targets are not its tokens."""
    source: Tensor | None = None
    """What an encoder reads, where inputs are what its decoder has written so far: ids [batch, source]."""
    source_document: Tensor | None = None
    """Integers [batch, source], as document."""


# Words and their vectors.


@no_type_check
@dataclass(frozen=True)
class Vocabulary:
    """The words of the training split by id."""

    words: tuple[str, ...]
    counts: np.ndarray
    """Integers [vocab]; 0 for `<eos>` and `<unk>`, which have an id and no vector that anybody reads."""


class WordPair(NamedTuple):
    """Two words and how alike people found them."""

    first: str
    second: str
    score: float


class Analogy(NamedTuple):
    """a is to b as c is to what? `words` are a, b, c and the answer."""

    section: str
    is_syntactic: bool
    """Whether it asks for a form of a word, and not for something about the world."""
    words: tuple[str, str, str, str]


@no_type_check
@dataclass(frozen=True)
class Corpus:
    """What a batching of words knows of the token arrays beside the ids."""

    eos: int
    """Ends a sentence."""
    unk: int
    """Stands for words too rare to have a vector."""
    counts: np.ndarray
    """Of the training split, as in its Vocabulary."""
    folder: Path
    """Where the arrays lie, and what is made of them may be kept."""


@no_type_check
@dataclass(frozen=True)
class Pieces:
    """What a batching that hides tokens knows of a vocabulary beside the ids, which index its arrays."""

    eos: int
    marks: tuple[int, ...]
    """What stands where tokens were, and in no text: `<mask>`, or as many sentinels as there may be gaps."""
    is_special: np.ndarray
    """Booleans: `<eos>`, `<unk>`, marks and others that stand for no text; they are neither hidden nor drawn."""
    starts: np.ndarray
    """Booleans: begins a word wherever it stands."""
    first: np.ndarray
    """Of its first character the script, a small number: one that differs from that of the token before begins a word."""
    last: np.ndarray
    """The same of its last character; -1: what follows goes on with it."""


@no_type_check
@dataclass
class WordWindows:
    """One step of running text: word i has as context the `left[i]` words before it and the `right[i]` behind it."""

    words: Tensor
    """Ids [position], int32: what is left of the text once rare and, by chance, frequent words are out."""
    left: Tensor
    """[position], uint8: none reaches over the end of a sentence or of the step."""
    right: Tensor
    num_tokens: int
    """Words of the text that the step stands for, those left out among them."""


@no_type_check
@dataclass
class Cooccurrences:
    """One step of counts: word `rows[i]` stood near word `columns[i]` `counts[i]` times, near ones counting more."""

    rows: Tensor
    """Ids [pair], int32."""
    columns: Tensor
    counts: Tensor
    """[pair], float32, above 0."""

    @property
    def num_tokens(self) -> int:
        """What the run's progress counts: pairs."""
        return len(self.counts)


@runtime_checkable
class WordModel(Protocol):
    """Vectors of words, made of rows of one table: a word's own row, in fastText also those of its n-grams."""

    dim: int
    embedding: nn.Embedding
    """The table [rows, dim], float32."""
    first: Tensor
    """Integers [vocab + 1]: the rows of word i are `rows[first[i] : first[i + 1]]`, and their mean is its vector."""
    rows: Tensor
    """Integers, int32."""
    averages_context: bool
    """Whether the mean of the context predicts the word in its middle (CBOW)."""
    predicts_context: bool
    """Whether the word in the middle predicts each of its context (fastText's skip-gram); where neither is true, each
    word of the context predicts the one in the middle (word2vec's skip-gram)."""

    def vectors(self) -> Tensor:
        """[vocab, dim]"""

    def unseen(self, word: str) -> Tensor | None:
        """[dim], of a word that was not seen in training; None where the model cannot make one."""


@runtime_checkable
class TwoSided(WordModel, Protocol):
    """A model of pairs: each word has a second vector for where it is a part of contexts, and a bias for each (GloVe)."""

    context: nn.Embedding
    bias: nn.Parameter
    context_bias: nn.Parameter


@runtime_checkable
class WordModelFactory(Protocol):
    """What `conf/model/skipgram.yaml` and its like build."""

    def __call__(self, *, vocabulary: Vocabulary) -> WordModel: ...


@runtime_checkable
class WordHead(Protocol):
    """What is predicted of a word, and how the error changes the vectors: updates in place, without autograd."""

    reads: type
    """WordWindows or Cooccurrences: what a batching says that it `makes`."""

    def update(
        self,
        model: WordModel,
        batch: WordWindows | Cooccurrences,
        optimizer: torch.optim.Optimizer,
        rate: float,
        *,
        seed: int,
        threads: int,
    ) -> tuple[float, int]:
        """One pass over a step -> its summed loss, each term before the update that it causes, and how many terms.

        Args:
            optimizer: whose state, if the rule has one, is changed in place.
            rate: 0 changes nothing: it measures.
            seed: of what is drawn at random.
            threads: above 1 they write to the same rows without locks (Recht et al. 2011), and bits vary between runs.
        """

    def check(self, model: WordModel, optimizer: torch.optim.Optimizer) -> None:
        """Raises a Mistake for a model or an optimizer that it cannot train."""


@runtime_checkable
class WordHeadFactory(Protocol):
    """What `conf/head/negative_sampling.yaml` and its like build."""

    def __call__(self, *, dim: int, vocabulary: Vocabulary) -> WordHead: ...


# Models.

State = Any
"""What a model carries from one call to the next: nested tuples of tensors, batch first."""


@no_type_check
@dataclass
class Extras:
    """What a model returns beside its states."""

    attention: tuple[Tensor, ...] = ()
    """Self-attention weights [batch, heads, query, key], one per layer, where they were asked for."""
    cross_attention: tuple[Tensor, ...] = ()
    """Weights on the memory [batch, heads, query, key], one per layer that reads it, where they were asked for."""
    losses: dict[str, Tensor] = field(default_factory=dict)
    """Auxiliary losses by name, scalars, already weighted: the task adds them to its own."""


@no_type_check
@dataclass
class Memory:
    """What an encoder hands to a conditional decoder."""

    states: Tensor
    """[batch, time, dim]"""
    document: Tensor | None = None
    """Integers [batch, time] as in Batch: a query of document n attends to memory of document n."""
    state: State = None
    """The encoder's last state, where a decoder starts from it."""
    extras: Extras = field(default_factory=Extras)
    """What the encoder returned beside its states."""
    source: Tensor | None = None
    """Ids [batch, time] that it was made of, if it was of ids."""


@no_type_check
@dataclass
class Output:
    """What every sequence model returns."""

    states: Tensor
    """[batch, time, dim]"""
    state: State = None
    extras: Extras = field(default_factory=Extras)


@no_type_check
@dataclass
class Packed:
    """A mask in short: a position sees those of its own document number and, where causal, none behind it."""

    document: Tensor
    """Integers [batch, time]; padding, which is 0, sees padding."""
    causal: bool


@no_type_check
@dataclass
class Mask:
    """Which key each query may attend to; made once per forward, read by every attention."""

    is_causal: bool = False
    """True: exactly the lower triangle of a square of equal positions, so that a fused kernel needs no tensor."""
    allowed: Tensor | None = None
    """[batch or 1, 1, query, key], True where attention is allowed; None: everywhere (or the lower triangle)."""
    bias: Tensor | None = None
    """[batch or 1, heads, query, key], added to the scores; -inf where attention is not allowed."""
    relation: Relation | None = None
    """What places add to scores and values by way of the queries; only for an attention that says `takes_relation`."""
    document: Tensor | None = None
    """[batch, query], in place of `allowed`, for an attention whose state is of one size: 0 is padding."""
    before: Tensor | None = None
    """[batch]: the document that such a state belongs to."""
    packed: Packed | None = None
    """What `allowed` says, where documents (and order) are all of it: some kernels read these and no square."""
    memo: dict[str, Any] = field(default_factory=dict)
    """What kernels have made of this mask, by kernel, so that the layers of one forward share that as well."""


@no_type_check
@dataclass
class Course:
    """Which documents a recurrence reads one after the other; made once per forward, read by every mixer.

    Padding stands at the end, or, where the time axis is read backward, at the beginning.
    """

    segment: Tensor
    """Integers [batch, time]: how many documents have started in this call; 0 goes on with what the state is of."""
    is_real: Tensor
    """[batch, time], False where there is padding: it has the segment of what stands before it."""


@runtime_checkable
class SequenceModel(Protocol):
    """The model contract: every architecture fills every role that it can."""

    dim: int
    causal: bool
    embedding: nn.Embedding
    state_grows: bool
    """Whether the state holds every position so far (keys and values), and not a summary of one size."""

    def __call__(
        self,
        inputs: Tensor,
        document: Tensor | None = None,
        memory: Memory | None = None,
        state: State = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        """States of ids [batch, time] or features [batch, time, dim]; see DESIGN, The model contract."""


@runtime_checkable
class Conditional(SequenceModel, Protocol):
    """A model of a target given a source: its calls take the memory that `encode` made of the source, once.

    It decodes like any model that has a state: `generate(model, head, ids, memory=model.encode(source))`.
    """

    source_embedding: nn.Embedding

    def encode(self, source: Tensor, document: Tensor | None = None, *, with_attention: bool = False) -> Memory:
        """What the decoder reads of a source of ids [batch, time] or features [batch, time, dim]."""

    def of_pair(
        self,
        source: Tensor,
        inputs: Tensor,
        source_document: Tensor | None = None,
        document: Tensor | None = None,
        *,
        with_attention: bool = False,
    ) -> Output:
        """States of a target's inputs given its source, in one call: for training. Losses are those of both sides."""


@runtime_checkable
class FurtherLosses(Protocol):
    """A head that learns more of the states than it says in evaluation."""

    def auxiliary(self, states: Tensor, targets: Tensor, document: Tensor | None = None) -> dict[str, Tensor]:
        """States [batch, time, dim], targets and document [batch, time] -> losses by name, scalars, already weighted."""


@runtime_checkable
class Copying(Protocol):
    """A head that may copy a token of the source, where the decoder looks at it."""

    copies: bool

    def __call__(self, states: Tensor, attention: Tensor, source: Tensor) -> Tensor:
        """States [batch, time, dim], weights [batch, time, source], ids [batch, source] -> log p [batch, time, vocab]."""


@runtime_checkable
class Recogniser(Protocol):
    """A head for recordings: by paths through the encoder's states, by what a decoder writes, or by both."""

    parts: frozenset[str]
    """`ctc`, `decoder` or both."""
    ctc_weight: float
    """Of the loss over paths; the rest is the decoder's: with 1 there is no decoder, with 0 no `ctc`."""

    @property
    def ctc(self) -> nn.Module | None:
        """Encoder's states [batch, states, dim] -> logits of symbols and the blank [batch, states, symbols]."""


@runtime_checkable
class Pattern(Protocol):
    """Which places see which, beside causality and documents: a parameter-free part of attention."""

    def kind(self, layer: int) -> int:
        """Layers of one kind share one mask."""

    def allowed(self, query: Tensor, key: Tensor, kind: int) -> Tensor | None:
        """Places [batch or 1, query] and [batch or 1, key] -> [batch or 1, query, key]; None: everywhere."""


@runtime_checkable
class Relation(Protocol):
    """What the places of query and key add beside a number of their own: vectors that meet queries, keys and values."""

    def scores(self, queries: Tensor) -> Tensor:
        """[batch, heads, query, head_dim] -> [batch, heads, query, key], added to Q K^T before its scale."""

    def values(self, weights: Tensor) -> Tensor | None:
        """[batch, heads, query, key] -> [batch, heads, query, head_dim], added to the weighted values, if anything is."""


@runtime_checkable
class Position(Protocol):
    """How a model knows the order of its inputs: at the embedding, at query and key, or by what it adds to the scores.

    Places are integers [batch or 1, time] that count from 0 within each document.
    """

    max_length: int | None
    """The places that it has; None: any number."""

    def embed(self, states: Tensor, places: Tensor) -> Tensor:
        """[batch, time, dim] -> the same, with places added where the scheme adds them."""

    def rotation(self, places: Tensor) -> Callable[[Tensor], Tensor] | None:
        """What turns queries and keys [batch, time, heads, head_dim] at these places; made once per forward."""

    def bias(self, query: Tensor, key: Tensor) -> Tensor | None:
        """What places add to the scores, [batch or 1, heads, query, key]; made once per forward."""

    def relation(self, query: Tensor, key: Tensor) -> Relation | None:
        """What places add to the scores by way of the queries, and to the values; made once per forward."""


@runtime_checkable
class Scaling(Protocol):
    """How a rotary position reaches further than the length that it was trained at."""

    attention_factor: float
    """On the cosines and sines, so that scores grow by its square."""

    def frequencies(self, dim: int, base: float, device: torch.device) -> Tensor:
        """The angle by which each of dim / 2 pairs turns from one place to the next."""


@runtime_checkable
class Attention(Protocol):
    """Projections, heads and score; for self-attention (memory is the query's own sequence) and cross-attention alike."""

    num_heads: int
    head_dim: int
    """The width that positions turn, of each head's query and key."""
    state_grows: bool
    """Whether its state holds every key so far, as tensors [batch, ..., key, width]; one that does not is shown no square
    of query and key: its mask has a `document` instead, and patterns and positions that need the square are refused."""
    takes_relation: bool
    """Whether it adds what a Relation says."""

    def __call__(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Mask,
        state: tuple[Tensor, ...] | None = None,
        *,
        rotate: Callable[[Tensor], Tensor] | None = None,
        with_weights: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
        """[batch, query, dim], [batch, key, memory_dim] -> output [batch, query, dim], the new state, the weights."""


@runtime_checkable
class AttentionFactory(Protocol):
    """One attention per layer, of the model's width."""

    def __call__(self, *, dim: int, memory_dim: int | None) -> Attention:
        """With memory_dim None for self-attention: query, key and value then come out of one projection."""


@runtime_checkable
class Cell(Protocol):
    """One recurrent layer over a whole sequence."""

    def __call__(self, inputs: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """[batch, time, dim], state tensors [batch, dim] or None (zeros) -> [batch, time, dim] and the last state."""


@runtime_checkable
class CellFactory(Protocol):
    """One cell per layer and direction."""

    def __call__(self, *, input_dim: int, dim: int) -> Cell: ...


@runtime_checkable
class Mixer(Protocol):
    """What hands information on from position to position, with a state of one size: projections, recurrence, gate."""

    def __call__(
        self, states: Tensor, state: tuple[Tensor, ...] | None, course: Course | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """[batch, time, dim], what the call before returned or None, the documents or None where there is one alone."""


@runtime_checkable
class MixerFactory(Protocol):
    """One mixer per layer and direction."""

    def __call__(self, *, dim: int) -> Mixer: ...


@runtime_checkable
class Cuttable(Protocol):
    """A part between two projections of which each of several ranks can compute a share: some heads, some hidden units."""

    def cut(self, ranks: int) -> tuple[str, Tensor]:
        """Makes itself one rank's share -> the name of its first projection, and the order of its rows, a rank's together.

        The last projection is called `output`.

        Raises:
            Mistake: where it does not divide.
        """

    def get_submodule(self, target: str) -> nn.Module: ...


@runtime_checkable
class ModuleFactory(Protocol):
    """A norm or a feed-forward, made once per place that needs one."""

    def __call__(self, *, dim: int) -> nn.Module: ...


@runtime_checkable
class Mixture(Protocol):
    """A feed-forward that chooses among experts; they are to be balanced over the positions that are no padding."""

    num_experts: int

    def __call__(self, states: Tensor, is_real: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """[batch, time, dim], True [batch, time] where there is no padding (None: nowhere) -> outputs, weighted losses."""


@runtime_checkable
class PositionFactory(Protocol):
    """One scheme per model."""

    def __call__(self, *, dim: int, head_dim: int, num_heads: int, causal: bool) -> Position: ...


@runtime_checkable
class ModelFactory(Protocol):
    """What `conf/model/*.yaml` builds: everything chosen but what data and task decide."""

    def __call__(self, *, vocab_size: int, causal: bool, memory_dim: int | None = None) -> SequenceModel: ...


@runtime_checkable
class Layered(Protocol):
    """A model whose state is one summary for each layer, so that a decoder's may be made from an encoder's."""

    def layer_widths(self) -> tuple[tuple[int, ...], ...]:
        """The widths of each layer's state tensors [batch, width]."""

    def begin(self, layers: tuple[tuple[Tensor, ...], ...]) -> State:
        """The state in which every layer's is given."""


@runtime_checkable
class Start(Protocol):
    """What a decoder's layers start from, made of the memory."""

    def __call__(self, memory: Memory) -> tuple[tuple[Tensor, ...], ...]: ...


@runtime_checkable
class StartFactory(Protocol):
    """One for each pair of an encoder and a decoder."""

    def __call__(self, *, encoder: SequenceModel, decoder: SequenceModel) -> Start:
        """Raises a Mistake where the decoder cannot start from such an encoder."""


# Training.


def replica(strategy: Any) -> tuple[int, int]:
    """Which share of each batch a process computes, of how many: Lightning's data-parallel rank and size, by its strategy."""
    found = getattr(strategy, "distributed_sampler_kwargs", {"rank": 0, "num_replicas": 1})  # one device has none
    return int(found["rank"]), int(found["num_replicas"])


@dataclass(frozen=True)
class Horizon:
    """How long a run is, for what is planned over it (learning rate schedules)."""

    total_steps: int
    steps_per_epoch: int


@runtime_checkable
class Schedule(Protocol):
    """A pure function of the step: the factor on the base learning rate."""

    def __call__(self, step: int) -> float: ...


Metrics = Mapping[str, float]


# Results.


@no_type_check
@dataclass(frozen=True)
class Examples:
    """What a run's last evaluation found of each example of a split: statistics whose sums give the split's figures."""

    sums: np.ndarray
    """[examples, statistics], float64."""
    statistics: tuple[str, ...]
    """Their names, such as nll, targets, bytes."""
    scores: Mapping[str, tuple[str, tuple[str, ...]]]
    """Figure (`loss`) -> its function in lmlab.report.corpus_comparison.SCORES, and the statistics that this takes."""
    kind: str
    """What an example is, in the plural: `documents`, `blocks of 112 tokens`."""
    source: str
    """A hash: under equal kind and source, examples of equal number are the same text."""
