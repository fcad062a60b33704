"""Gaps in a text: source and target make up the window, lengths are equal, the same batch however it is cut."""

import numpy as np
import pytest
import torch

from lmlab.batch.corrupted import Corrupted, gaps, segments
from lmlab.types import Mistake, Pieces

EOS, SENTINELS = 0, tuple(range(600, 620))
TOKENS = np.random.default_rng(0).integers(0, 600, 4001).astype(np.uint16)


def made(**changes):
    nothing = np.zeros(620, bool)
    known = Pieces(EOS, SENTINELS, nothing, nothing, nothing, nothing)
    given = {
        "size": 12, "micro_size": None, "seq_len": 37, "eval_size": 5, "num_workers": 0, "seed": 3, "rate": 0.15,
        "mean_length": 3.0, "sentinels": known,
    }  # fmt: skip
    return Corrupted(**{**given, **changes})


def restored(source, target):
    """The window: each sentinel of the source replaced by what follows it in the target."""
    parts = {}
    for index in target[:-1]:
        if index in SENTINELS:
            parts[index] = current = []
        else:
            current.append(index)
    assert list(parts) == list(SENTINELS[: len(parts)])
    return [one for index in source for one in parts.get(index, [index])]


def step_of(step, *, micro_size=None, world=1, seed=3):
    rows = {}
    for rank in range(world):
        batching = made(micro_size=micro_size, seed=seed)
        one, dataset = batching.share(rank=rank, world=world), batching.train(TOKENS, rank=rank, world=world)
        for micro in range(one.num_micro):
            batch = dataset[step, micro]
            assert batch.num_targets == 12 * batch.targets.shape[1]
            assert batch.num_tokens == 12 * 37
            both = torch.cat([batch.source, batch.inputs, batch.targets], dim=1)
            rows.update(zip(one.rows(micro), both, strict=True))
    return torch.stack([rows[row] for row in sorted(rows)])


@pytest.mark.parametrize(("micro_size", "world"), [(4, 1), (None, 2), (2, 3)])
def test_the_global_batch_does_not_depend_on_passes_and_ranks(micro_size, world):
    for step in (0, 10**6):
        assert torch.equal(step_of(step, micro_size=micro_size, world=world), step_of(step))


def test_the_batch_follows_from_seed_and_step():
    assert len({step_of(step, seed=seed).numpy().tobytes() for seed in (3, 4) for step in (0, 1)}) == 4


def test_source_and_target_make_up_a_window_and_have_the_lengths_of_t5():
    batch = made().train(TOKENS)[5, 0]
    hidden, number = gaps(37, 0.15, 3.0)
    assert (hidden, number) == (6, 2)
    assert batch.source.shape == (12, 37 - hidden + number)
    assert batch.targets.shape == (12, hidden + number + 1)
    assert torch.equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    assert (batch.inputs[:, 0] == EOS).all()
    assert (batch.targets[:, -1] == EOS).all()
    windows = {tuple(TOKENS[start : start + 37].tolist()) for start in range(len(TOKENS) - 36)}
    for source, target in zip(batch.source.tolist(), batch.targets.tolist(), strict=True):
        assert tuple(restored(source, target)) in windows


@pytest.mark.parametrize("length", [2, 3, 5, 128, 512])
def test_at_least_one_token_is_missing_and_one_is_left(length):
    hidden, number = gaps(length, 0.15, 3.0)
    assert 1 <= number <= hidden < length
    assert number <= length - hidden
    if length == 512:
        assert (hidden, number) == (77, 26)


def test_every_division_is_as_likely():
    found = segments(np.random.default_rng(0).random((6000, 5)), 5, 3)
    assert (found.sum(axis=1) == 5).all()
    seen, counts = np.unique(found, axis=0, return_counts=True)
    assert len(seen) == 6  # 4 over 2
    assert (abs(counts - 1000) < 150).all()


@pytest.mark.parametrize("num_tokens", [1, 2, 36, 37, 38, 500])
def test_evaluation_has_every_token_once_and_the_same_gaps_for_any_seed_and_size(num_tokens):
    tokens, found = TOKENS[:num_tokens], []
    for changes in ({}, {"seed": 9, "eval_size": 2}):
        dataset = made(**changes).eval(tokens)
        rows, places = [], []
        for number in range(len(dataset)):
            batch = dataset[number]
            rows += [restored(*pair) for pair in zip(batch.source.tolist(), batch.targets.tolist(), strict=True)]
            is_text = ~torch.isin(batch.targets, torch.tensor([EOS, *SENTINELS]))
            assert np.array_equal(tokens[np.asarray(batch.place[is_text])], np.asarray(batch.targets[is_text]))
            places += batch.place[is_text].tolist()
        left = num_tokens - (num_tokens % 37 == 1)  # one token alone has no gap
        assert [one for row in rows for one in row] == tokens[:left].tolist()
        found.append(sorted(places))
        with pytest.raises(IndexError):
            dataset[len(dataset)]
    assert found[0] == found[1]


def test_mistakes_name_the_keys():
    with pytest.raises(Mistake, match=r"batch.rate=0.0, batch.mean_length=3.0 leave no gap"):
        made(rate=0.0)
    with pytest.raises(Mistake, match=r"batch.seq_len=2000 has 100 gaps, more than the 20 sentinels"):
        made(seq_len=2000)
    with pytest.raises(Mistake, match=r"has 36 tokens, fewer than one window of batch.seq_len=37"):
        made().train(TOKENS[:36])
