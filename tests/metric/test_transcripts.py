"""Word and character errors, as torchmetrics counts them."""

import random

import pytest
import torch
from torchmetrics.functional.text import char_error_rate, word_error_rate

from lmlab.metric.transcripts import Transcripts, edit_distance


def spell(tokens):
    return "".join("ab c"[token] for token in tokens)


@pytest.mark.parametrize("seed", range(8))
def test_rates_are_those_of_torchmetrics_pooled_over_batches(seed):
    draw = random.Random(seed)
    pairs = [([draw.randrange(4) for _ in range(draw.randrange(1, 12))] for _ in range(2)) for _ in range(9)]
    found, said = zip(*pairs)
    said = [[0, *one] for one in said]
    metric = Transcripts(spell=spell)
    for first in (0, 4):
        last = 4 if first == 0 else 9
        metric.update(torch.arange(first, last).float(), found[first:last], said[first:last])
    figures = metric.compute()
    texts = [list(map(spell, one)) for one in (found, said)]
    assert figures["wer"] == pytest.approx(float(word_error_rate(*texts)))
    assert figures["cer"] == pytest.approx(float(char_error_rate(*texts)))
    assert figures["loss"] == 4
    assert figures["accuracy"] == sum(one.split() == other.split() for one, other in zip(*texts)) / 9


@pytest.mark.parametrize(
    ("found", "said", "distance"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("sitting", "kitten", 3),
        ("ab", "ba", 2),
        ("xabcx", "abc", 2),
    ],
)
def test_edit_distance(found, said, distance):
    assert edit_distance(found, said) == distance


def test_nothing_heard_is_all_wrong_and_nothing_measured_is_no_fault():
    metric = Transcripts(spell=spell)
    metric.update(torch.zeros(1), [[]], [[0, 2, 1]])
    assert metric.compute() == {"loss": 0.0, "wer": 1.0, "cer": 1.0, "accuracy": 0.0}
    metric.reset()
    metric.update(torch.zeros(0), [], [])
    assert metric.compute() == {"loss": 0.0, "wer": 0.0, "cer": 0.0, "accuracy": 0.0}
