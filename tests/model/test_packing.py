"""A packed batch is worth what its examples are: over an epoch the same summed loss, and the same gradients, as one a row."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lmlab import config as configuration
from lmlab.batch.conversations import Conversations
from lmlab.batch.documents import Documents
from lmlab.batch.source_target import SourceTarget
from lmlab.examples import Rows
from lmlab.types import IGNORE, Mistake

VOCAB, EOS, SEQ_LEN = 37, 0, 11
SIZES = {"size": 3, "micro_size": None, "max_tokens": None, "eval_size": 4, "num_workers": 0, "seed": 0, "eos": EOS}
EXACT = {"rtol": 1e-12, "atol": 1e-9}
ROUNDED = {"rtol": 1e-6, "atol": 0.0}
"""Of attentions that compute a part in float32, whatever the model's type is."""
SEQ2SEQ = [
    ("model=seq2seq", "model/start=null"),
    ("model=seq2seq", "model/encoder=transformer", "model/decoder=transformer"),
    ("model=seq2seq", "model/encoder=gru", "model/decoder=transformer"),
    ("model=seq2seq", "model/encoder=mamba2", "model/decoder=gru", "model/start=null", "model.reverse_source=true"),
    ("model=seq2seq", "model/encoder=cnn", "model/decoder=delta_net"),
]


def text():
    """Documents of 1 to 25 tokens, the last without an end."""
    draw = np.random.default_rng(0)
    return np.concatenate([[*draw.integers(1, VOCAB, size=size), EOS] for size in (3, 0, 24, 5, 1, 7, 2, 10)])[:-1]


def documents(*, packing, seq_len=SEQ_LEN, **values):
    return Documents(**{**SIZES, "seq_len": seq_len, "packing": packing, **values})


def rows(*, sides):
    """Ten examples of some texts each; two texts are a source and a target, or a header and what is said."""
    draw = np.random.default_rng(1)
    lengths = draw.integers(1, 4, size=(10, sides))
    return Rows(
        ids=draw.integers(1, VOCAB, size=lengths.sum()).astype(np.uint16),
        text_ends=lengths.cumsum(),
        row_ends=np.arange(sides, 10 * sides + 1, sides),
        labels=np.tile([1, 0], 10 * sides // 4).astype(np.int32),
        label_ends=np.arange(sides // 2, 10 * sides // 2 + 1, sides // 2),
    )


def pairs(*, joined, packing, seq_len=SEQ_LEN, **values):
    return SourceTarget(**{**SIZES, "seq_len": seq_len, "packing": packing, "joined": joined, **values})


def chats(*, packing, seq_len=23):
    return Conversations(**SIZES, seq_len=seq_len, packing=packing, learned=["a"], roles=["a", "b"])


def epoch(batching, examples):
    """The batches of an epoch's steps."""
    steps = batching.train(examples)
    return [steps[step, 0] for step in range(batching.steps_per_epoch(examples))]


def loss(model, table, batch):
    """Summed over the targets."""
    if batch.source is None:
        states = model(batch.inputs, batch.document).states
    else:
        states = model.of_pair(batch.source, batch.inputs, batch.source_document, batch.document).states
    logits = (states @ table.T).flatten(0, 1)
    return F.cross_entropy(logits, batch.targets.flatten(), ignore_index=IGNORE, reduction="sum")


def total(model, batching, examples):
    model, table = model.double(), torch.randn(VOCAB, model.dim, dtype=torch.double, generator=torch.manual_seed(1))
    return sum(loss(model, table, batch) for batch in epoch(batching, examples))


def test_documents(build, decoder):
    packed, alone = (total(build(decoder), documents(packing=packing), text()) for packing in (True, False))
    is_rounded = {"model/attention=linear", "model/attention=local"} & {*decoder}
    torch.testing.assert_close(packed, alone, **(ROUNDED if is_rounded else EXACT))


@pytest.mark.parametrize("choice", [("model=transformer",), ("model=lstm",), ("model=mamba2",), ("model=dilated_cnn",)])
def test_conversations_and_pairs_in_one_row(build, choice):
    for sides, make in ((4, chats), (2, lambda **values: pairs(joined=True, **values))):
        found = [total(build(choice), make(packing=packing), rows(sides=sides)) for packing in (True, False)]
        torch.testing.assert_close(*found, **EXACT)


@pytest.fixture
def seq2seq():
    def make(choice):
        tiny = ("model.dim=24", "model.num_layers=2", "model.dropout=0.0")
        torch.manual_seed(0)
        config = configuration.compose(["task=translation", *choice, *tiny])
        return configuration.build(config, "model")(vocab_size=VOCAB, causal=True).eval()

    return make


@pytest.mark.parametrize("choice", SEQ2SEQ, ids=" ".join)
def test_sources_and_targets_side_by_side(seq2seq, choice):
    found = [total(seq2seq(choice), pairs(joined=False, packing=one), rows(sides=2)) for one in (True, False)]
    torch.testing.assert_close(*found, **EXACT)


def test_a_decoder_that_starts_from_the_encoders_state_cannot_be_packed(seq2seq):
    with pytest.raises(Mistake, match=r"batch\.packing=false"):
        total(
            seq2seq(("model=seq2seq", "model/cross_attention=none")), pairs(joined=False, packing=True), rows(sides=2)
        )


@pytest.mark.parametrize("choice", [("model=transformer",), ("model=gru",)])
def test_gradients_are_those_of_one_document_a_row(build, choice):
    found = []
    for packing in (True, False):
        model: nn.Module = build(choice)
        total(model, documents(packing=packing), text()).backward()
        found.append({name: one.grad for name, one in model.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], rtol=1e-9, atol=1e-9, msg=name)
