"""Samples are drawn at the steps asked for, never within one."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl

from lmlab.callback.samples import Samples


def made(every: int, kept: list[tuple[int, list[str]]]) -> Samples:
    return Samples(
        every=every, num=2, max_tokens=7, temperature=0.5, prompt="Once",
        draw=lambda task, prompt, num, length, temperature: [f"{prompt} {length} {temperature} {n}" for n in range(num)],
        keep=lambda step, texts: kept.append((step, texts)),
    )  # fmt: skip


@pytest.mark.parametrize(("every", "expected"), [(0, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4]), (9, [])])
def test_they_come_at_multiples_of_every_once_per_step(every, expected):
    kept: list[tuple[int, list[str]]] = []
    callback = made(every, kept)
    for step in range(5):
        for module in (SimpleNamespace(step=step, micro=1), SimpleNamespace(step=step + 1, micro=0)):
            callback.on_train_batch_end(Mock(spec=pl.Trainer), module, None, None, 0)
    assert [step for step, _ in kept] == expected
    assert all(texts == ["Once 7 0.5 0", "Once 7 0.5 1"] for _, texts in kept)
