"""The sum over paths: by hand, without padding, and what has no path."""

from itertools import groupby, product

import pytest
import torch

from lmlab import config
from lmlab.command.kind.speech import Speech
from lmlab.decoding.ctc_greedy import CtcGreedy
from lmlab.examples import Heard
from lmlab.metric.transcripts import Transcripts
from lmlab.task.speech_recognition import SpeechRecognition, losses
from lmlab.task.task import Plan
from lmlab.types import IGNORE, Batch

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


def made(model="lstm", frontend="convolutions", factor=2):
    chosen = config.compose(
        [
            "task=speech_recognition", f"model={model}", "model.dim=16", f"frontend={frontend}",
            f"frontend.factor={factor}", "head.dropout=0.0", *ENCODERS[model],
        ]
    )  # fmt: skip
    torch.manual_seed(0)
    parts = Speech().model(chosen, Heard(4, (0.0,) * 5, (1.0,) * 5))
    return SpeechRecognition(
        model=parts[0], head=parts[1], metric=lambda split: Transcripts(spell=str), plan=PLAN, decode=CtcGreedy()
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
    log_probs, lengths, _ = task(whole)
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
    for _ in range(120):
        optimizer.zero_grad()
        total, _ = task.objective(whole)
        total.backward()
        optimizer.step()
    log_probs, lengths, _ = task.eval()(whole)
    assert CtcGreedy()(log_probs, lengths) == [[1, 2, 2, 0], [3], [0, 1]]
