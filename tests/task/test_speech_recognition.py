"""The sum over paths: by hand, without padding, and what has no path."""

from itertools import groupby, product

import pytest
import torch

from lmlab import config
from lmlab.command.kind.speech import Speech
from lmlab.command.transcripts import transcriber_of, transcripts
from lmlab.decoding.ctc_greedy import CtcGreedy
from lmlab.examples import Heard
from lmlab.metric.transcripts import Transcripts
from lmlab.task.speech_recognition import SpeechRecognition, losses
from lmlab.task.task import Plan
from lmlab.types import IGNORE, Batch, Mistake

PLAN = Plan(
    optimizer=lambda module: torch.optim.SGD(module.parameters(), lr=0.1),
    schedule=lambda step: 1.0,
    num_micro=1,
    total_steps=None,
    seed=0,
    gradient_clip=None,
)
ENCODERS = {
    "lstm": [],
    "gru": [],
    "transformer": ["model.attention.num_heads=2"],
    "dilated_cnn": ["model.num_layers=2"],
    "cnn": [],
    "mamba2": [],
}
PAIRS = {
    "lstm": [],
    "transformer": ["model.attention.num_heads=2", "model.cross_attention.num_heads=2"],
    "dilated_cnn": ["model.num_layers=2"],
    "mamba2": [],
    "seq2seq": ["model/encoder=gru", "model/decoder=transformer", "model.decoder.attention.num_heads=2"],
    "sutskever2014": ["model.num_layers=1"],
    "transformer_base": [
        "model.num_layers=1",
        "model.encoder.attention.num_heads=2",
        "model.decoder.attention.num_heads=2",
    ],
}
"""Of an encoder and a decoder."""


EOS = 3


def made(model="lstm", frontend="convolutions", factor=2, head="ctc", *words):
    chosen = config.compose(
        [
            "task=speech_recognition", f"model={model}", "model.dim=16", f"frontend={frontend}",
            f"frontend.factor={factor}", f"head={head}", *([] if head == "attention" else ["head.dropout=0.0"]),
            *ENCODERS.get(model, PAIRS.get(model, [])), *words,
        ]
    )  # fmt: skip
    torch.manual_seed(0)
    parts = Speech().model(chosen, Heard(4, (0.0,) * 5, (1.0,) * 5))
    return SpeechRecognition(
        model=parts[0],
        head=parts[1],
        metric=lambda split: Transcripts(spell=str),
        plan=PLAN,
        transcribe=transcriber_of(chosen, EOS),
        eos=EOS,
    )


def batch(lengths, targets):
    """Padded frames that are no zeros, so that reading them would be seen."""
    draw = torch.Generator().manual_seed(0)
    document = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    rows = torch.full((len(targets), max(map(len, targets))), IGNORE)
    for number, one in enumerate(targets):
        rows[number, : len(one)] = torch.tensor(one, dtype=torch.long)
    return Batch(
        torch.randn(len(lengths), max(lengths), 5, generator=draw), rows, num_targets=len(targets), document=document
    )


def alone(whole, row):
    length, targets = int(whole.document[row].sum()), whole.targets[row]
    return Batch(
        whole.inputs[row : row + 1, :length],
        targets[targets != IGNORE][None],
        num_targets=1,
        document=whole.document[row : row + 1, :length],
    )


def test_the_loss_is_minus_the_log_of_the_sum_over_all_paths():
    scores = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(0)).log_softmax(dim=-1)
    total = 0.0
    for path in product(range(3), repeat=4):
        if [symbol for symbol, _ in groupby(path) if symbol != 2] == [0, 0, 1]:
            total += float(scores[0, range(4), path].sum().exp())
    found = losses(scores, torch.tensor([4]), torch.tensor([[0, 0, 1, IGNORE]]))
    torch.testing.assert_close(found, -torch.tensor([total]).log())


@pytest.mark.parametrize("frontend", ["convolutions", "stacking"])
@pytest.mark.parametrize("model", ENCODERS)
def test_padding_changes_no_loss_and_every_parameter_gets_a_gradient(model, frontend):
    task = made(model, frontend).eval()
    whole = batch([23, 14, 9], [[1, 2, 2, 0], [3], [0, 1]])
    total, _ = task.objective(whole)
    parts = [task.objective(alone(whole, row))[0] for row in range(3)]
    torch.testing.assert_close(total, sum(parts), rtol=1e-4, atol=1e-4)
    total.backward()
    silent = [name for name, one in task.named_parameters() if one.requires_grad and one.grad is None]
    assert not silent
    assert [name for name, one in task.named_parameters() if not one.requires_grad] == [
        "model.encoder.embedding.weight"
    ]


def test_what_has_no_path_or_no_transcript_adds_nothing():
    task = made(factor=4).eval()
    whole = batch([20, 4, 8], [[1, 2], [1, 2, 3], []])
    log_probs, lengths = task(whole)[1:3]
    assert lengths.tolist() == [5, 1, 2]
    found = losses(log_probs, lengths, whole.targets)
    assert found[0] > 0
    assert found[1:].tolist() == [0, 0]
    found.sum().backward()
    assert all(one.grad is None or one.grad.isfinite().all() for one in task.parameters())


def test_what_is_evaluated_are_the_recordings_that_have_a_transcript():
    task = made().eval()
    task.evaluate("val", batch([20, 8], [[1, 2], []]))
    assert int(task.metrics["val"].counts[0]) == 1


def test_a_few_recordings_are_learned_by_heart():
    task = made().train()
    optimizer = torch.optim.Adam([one for one in task.parameters() if one.requires_grad], lr=0.02)
    whole = batch([23, 14, 9], [[1, 2, 2, 0], [3], [0, 1]])
    for _ in range(300):
        optimizer.zero_grad()
        total, _ = task.objective(whole)
        total.backward()
        optimizer.step()
    log_probs, lengths = task.eval()(whole)[1:3]
    assert CtcGreedy()(log_probs, lengths) == [[1, 2, 2, 0], [3], [0, 1]]


# With a decoder.

SAID = [[1, 2, 2, 0], [2], [0, 1]]
"""`<eos>` is 3."""


@pytest.mark.parametrize("head", ["attention", "joint"])
@pytest.mark.parametrize("model", PAIRS)
def test_with_a_decoder_as_well_padding_changes_no_loss_and_every_parameter_gets_a_gradient(model, head):
    task = made(model, head=head).eval()
    whole = batch([23, 14, 9], SAID)
    total, _ = task.objective(whole)
    parts = [task.objective(alone(whole, row))[0] for row in range(3)]
    torch.testing.assert_close(total, sum(parts), rtol=1e-4, atol=1e-4)
    total.backward()
    silent = [name for name, one in task.named_parameters() if one.requires_grad and one.grad is None]
    assert not silent
    frozen = [name for name, one in task.named_parameters() if not one.requires_grad]
    tied = task.model.source_embedding.weight is task.model.embedding.weight
    assert frozen == ([] if tied else ["model.conditional.encoder.embedding.weight"])


def test_the_attention_loss_is_minus_the_log_of_each_token_and_of_the_end():
    task = made(head="attention").eval()
    whole = batch([23], [[1, 2]])
    logits = task(whole).logits[0].log_softmax(dim=-1)
    expected = -(logits[0, 1] + logits[1, 2] + logits[2, EOS])
    torch.testing.assert_close(task.loss(task(whole), whole.targets)[0], expected)
    smoothed = 0.9 * expected - 0.1 * logits.mean(dim=-1).sum()
    torch.testing.assert_close(task.objective(whole)[0], smoothed)


def test_the_joint_loss_is_the_weighted_sum_of_the_two():
    task = made("lstm", "convolutions", 2, "joint", "head.ctc_weight=0.2", "head.label_smoothing=0.0").eval()
    whole = batch([23, 14, 9], SAID)
    found = task(whole)
    ctc = losses(found.log_probs, found.lengths, whole.targets)
    written = torch.stack(
        [
            -sum(found.logits[row, place].log_softmax(-1)[token] for place, token in enumerate([*said, EOS]))
            for row, said in enumerate(SAID)
        ]
    )
    torch.testing.assert_close(task.objective(whole)[0], (0.2 * ctc + 0.8 * written).sum())
    assert (ctc > 0).all()


def test_a_recording_without_a_transcript_adds_nothing_to_a_decoder_either():
    task = made(head="joint").eval()
    found = task.loss(task(batch([20, 8], [[1, 2], []])), batch([20, 8], [[1, 2], []]).targets)
    assert found[0] > 0
    assert found[1] == 0


@pytest.mark.parametrize("decoding", ["attention", "joint", "ctc_greedy", "ctc_beam"])
def test_decoding_ends_however_little_was_learned_and_does_not_depend_on_the_batch(decoding):
    task = made("lstm", "convolutions", 2, "joint", f"decoding={decoding}").eval()
    whole = batch([23, 14], [[1, 2, 2, 0], [2]])
    found = transcripts(task, whole, task.transcribe)
    assert all(len(tokens) <= 12 for tokens in found)
    assert decoding.startswith("ctc") or not any(EOS in tokens for tokens in found)
    assert found[0] == transcripts(task, alone(whole, 0), task.transcribe)[0]


@pytest.mark.parametrize("head", ["attention", "joint"])
def test_with_a_decoder_a_few_recordings_are_learned_by_heart(head):
    task = made("gru", head=head).train()
    optimizer = torch.optim.Adam([one for one in task.parameters() if one.requires_grad], lr=0.02)
    whole = batch([23, 14, 9], SAID)
    for _ in range(150):
        optimizer.zero_grad()
        task.objective(whole)[0].backward()
        optimizer.step()
    assert transcripts(task.eval(), whole, task.transcribe) == SAID


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_joint_head_has_both_losses(weight):
    with pytest.raises(Mistake, match="choose head=ctc or head=attention"):
        made("lstm", "convolutions", 2, "joint", f"head.ctc_weight={weight}")


def test_an_encoder_with_a_decoder_is_not_for_a_head_that_reads_the_encoder_alone():
    with pytest.raises(Mistake, match="head=ctc reads an encoder alone"):
        made("seq2seq")
