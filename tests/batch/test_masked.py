"""Hidden tokens: their share and fates, only real ones, the same batch however it is cut, evaluation always the same."""

import itertools

import numpy as np
import pytest
import torch

from lmlab.batch.masked import Masked, begins
from lmlab.batch.masking.span import Span
from lmlab.batch.masking.token import Token
from lmlab.batch.masking.whole_word import WholeWord
from lmlab.types import IGNORE, Mistake, Pieces

VOCAB, EOS, UNK, MASK = 53, 0, 1, 52
MASKINGS = {"token": Token(), "whole_word": WholeWord(), "span": Span(mean_length=3.0, max_length=10)}
TOKENS = np.random.default_rng(0).integers(0, MASK, 4001).astype(np.uint16)


def pieces():
    """Tokens above 30 go on with the word before them, unless that is <eos> or <unk>."""
    special = np.zeros(VOCAB, bool)
    special[[EOS, UNK, MASK]] = True
    script = np.where(special, 0, 1).astype(np.int8)
    return Pieces(EOS, (MASK,), special, np.arange(VOCAB) <= 30, script, script)


def made(masking="token", **changes):
    given = {
        "size": 12, "micro_size": None, "seq_len": 37, "eval_size": 5, "num_workers": 0, "seed": 3, "rate": 0.15,
        "random_rate": 0.1, "keep_rate": 0.1,
    }  # fmt: skip
    return Masked(**{**given, **changes}, masking=MASKINGS[masking], pieces=pieces())


def step_of(step, *, micro_size=None, world=1, masking="token", seed=3):
    """Rows of all ranks and passes, in the order of their global numbers."""
    rows = {}
    for rank in range(world):
        batching = made(masking, micro_size=micro_size, seed=seed)
        one, dataset = batching.share(rank=rank, world=world), batching.train(TOKENS, rank=rank, world=world)
        for micro in range(one.num_micro):
            batch = dataset[step, micro]
            rows.update(zip(one.rows(micro), torch.stack([batch.inputs, batch.targets], dim=1), strict=True))
    found = torch.stack([rows[row] for row in sorted(rows)])
    assert batch.num_targets == int((found[:, 1] != IGNORE).sum())
    assert batch.num_tokens == 12 * 37
    return found


@pytest.mark.parametrize("masking", MASKINGS)
@pytest.mark.parametrize(("micro_size", "world"), [(4, 1), (None, 2), (2, 3)])
def test_the_global_batch_does_not_depend_on_passes_and_ranks(masking, micro_size, world):
    for step in (0, 10**6):
        assert torch.equal(
            step_of(step, micro_size=micro_size, world=world, masking=masking), step_of(step, masking=masking)
        )


def test_the_batch_follows_from_seed_and_step():
    assert len({step_of(step, seed=seed).numpy().tobytes() for seed in (3, 4) for step in (0, 1)}) == 4


@pytest.mark.parametrize("masking", MASKINGS)
def test_of_real_tokens_a_share_is_hidden_and_of_these_most_behind_the_mask(masking):
    steps = [step_of(step, masking=masking) for step in range(60)]
    inputs, targets = (torch.cat([step[:, part] for step in steps]).flatten().numpy() for part in (0, 1))
    is_hidden = targets != IGNORE
    original = np.where(is_hidden, targets, inputs)
    assert not (is_hidden & pieces().is_special[original]).any()
    number, share = (~pieces().is_special[original]).sum(), is_hidden.sum() / (~pieces().is_special[original]).sum()
    assert share == pytest.approx(0.15, abs=4 * (0.15 * 0.85 / number) ** 0.5 + (0.0 if masking == "token" else 0.005))
    hidden = is_hidden.sum()
    expected = {"mask": 0.8, "kept": 0.1 + 0.1 / 50, "other": 0.1 * 49 / 50}
    seen = {
        "mask": (inputs == MASK)[is_hidden].mean(),
        "kept": (inputs == targets)[is_hidden].mean(),
        "other": ((inputs != targets) & (inputs != MASK))[is_hidden].mean(),
    }
    width = 3 if masking == "span" else 1  # the tokens of a span share their fate
    for name, share in expected.items():
        assert seen[name] == pytest.approx(share, abs=4 * (width * share * (1 - share) / hidden) ** 0.5), name
    assert not np.isin(inputs[is_hidden], [EOS, UNK]).any()
    others = inputs[is_hidden & (inputs != targets) & (inputs != MASK)]
    assert len(np.unique(others)) == 50  # every token that stands for text


def test_what_is_not_hidden_is_the_text_as_it_is():
    found = step_of(7)
    text = torch.where(found[:, 1] != IGNORE, found[:, 1], found[:, 0])
    windows = {tuple(TOKENS[start : start + 37].tolist()) for start in range(len(TOKENS) - 36)}
    assert all(tuple(row.tolist()) in windows for row in text)


def groups(masking, ids, budget, seed=0):
    random = np.random.default_rng(seed)
    return MASKINGS[masking](
        np.full(len(ids), budget), ~pieces().is_special[ids], begins(ids, pieces()), *random.random((2, *ids.shape))
    )


def test_a_token_that_starts_none_and_follows_text_goes_on_with_a_word():
    ids = np.array([[40, 40, 2, 41, EOS, 42, UNK, 43, 5]])
    assert begins(ids, pieces()).tolist() == [[True, False, True, False, True, True, True, True, True]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("masking", ["whole_word", "span"])
def test_words_are_hidden_whole(masking, seed):
    ids = np.random.default_rng(seed).integers(0, MASK, (9, 41))
    is_hidden = groups(masking, ids, 7, seed) >= 0
    goes_on = ~begins(ids, pieces())
    assert (is_hidden[:, 1:] == is_hidden[:, :-1])[goes_on[:, 1:]].all()
    assert goes_on[is_hidden].any()
    assert (abs(is_hidden.sum(axis=1) - 7) <= 4).all()


def test_tokens_are_hidden_to_the_exact_number():
    ids = np.random.default_rng(1).integers(2, MASK, (9, 41))
    assert ((groups("token", ids, 7) >= 0).sum(axis=1) == 7).all()
    few = np.where(np.arange(41) < 3, ids, EOS)
    assert ((groups("token", few, 7) >= 0).sum(axis=1) == 3).all()


def test_spans_have_geometric_lengths_and_cross_no_end_of_a_text():
    ids = np.random.default_rng(2).integers(2, 31, (2000, 200))  # each token a word
    found = groups("span", ids, 6)  # few, so that spans rarely meet
    lengths = [len(list(run)) for row in found for group, run in itertools.groupby(row.tolist()) if group >= 0]
    shares = np.bincount(np.minimum(lengths, 6))[1:] / len(lengths)
    assert shares[0] > shares[1] > shares[2] > 0.05
    assert np.mean(lengths) == pytest.approx(2.4, abs=0.3)  # the last of each row is cut
    whole = groups("span", ids, 200)
    assert (whole >= 0).all()
    ids[:, 50] = EOS
    found = groups("span", ids, 100)
    assert (found[:, 50] == -1).all()
    assert not ((found[:, 51] >= 0) & (found[:, 51] < 50)).any()


def test_a_span_shares_its_fate():
    batching = made("span", random_rate=0.0, keep_rate=0.5)
    inputs, targets = step_of_batching(batching)
    runs = [
        {bool(one) for one in group}
        for row, hidden in zip(inputs == MASK, targets != IGNORE, strict=True)
        for is_hidden, group in _runs(row.tolist(), hidden.tolist())
        if is_hidden
    ]
    assert {frozenset(run) for run in runs} >= {frozenset({True}), frozenset({False})}
    assert sum(len(run) == 1 for run in runs) > 0.8 * len(runs)  # two spans may meet


def _runs(values, keys):
    pairs = list(zip(keys, values, strict=True))
    return [(key, [value for _, value in group]) for key, group in itertools.groupby(pairs, key=lambda pair: pair[0])]


def step_of_batching(batching):
    batch = batching.train(TOKENS)[0, 0]
    return batch.inputs.numpy(), batch.targets.numpy()


@pytest.mark.parametrize("masking", MASKINGS)
@pytest.mark.parametrize("num_tokens", [1, 36, 37, 38, 500])
def test_evaluation_has_every_token_once_and_hides_the_same_for_any_seed_and_size(masking, num_tokens):
    tokens = TOKENS[:num_tokens]
    found = []
    for changes in ({}, {"seed": 9, "eval_size": 2}):
        dataset = made(masking, **changes).eval(tokens)
        batches = [dataset[number] for number in range(len(dataset))]
        assert [batch.num_targets for batch in batches] == [int((one.targets != IGNORE).sum()) for one in batches]
        place, inputs, targets = (
            torch.cat([getattr(batch, name) for batch in batches]).flatten() for name in ("place", "inputs", "targets")
        )
        text = torch.where(targets != IGNORE, targets, inputs)
        assert text[:num_tokens].tolist() == tokens.tolist()
        assert place.tolist() == list(range(len(place)))
        assert (targets[num_tokens:] == IGNORE).all()
        found.append((inputs, targets))
        last = batches[-1].document
        assert (last is None) == (num_tokens % 37 == 0)
        assert last is None or int((last == 0).sum()) == -num_tokens % 37
        with pytest.raises(IndexError):
            dataset[len(dataset)]
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_mistakes_name_the_key():
    with pytest.raises(Mistake, match=r"batch.random_rate=0.6 and batch.keep_rate=0.6 are more than all"):
        made(random_rate=0.6, keep_rate=0.6)
    with pytest.raises(
        Mistake, match=r"has 36 tokens, fewer than one window of batch.seq_len=37; set batch.seq_len to 36"
    ):
        made().train(TOKENS[:36])
    made().train(TOKENS[:37])[0, 0]
    with pytest.raises(Mistake, match=r"batch.masking.mean_length=0.5 is too short"):
        Span(mean_length=0.5, max_length=3)


def test_a_rate_of_nothing_hides_nothing_and_the_step_has_a_divisor():
    batch = made(rate=0.0).train(TOKENS)[0, 0]
    assert (batch.targets == IGNORE).all()
    assert batch.num_targets == 1


def test_the_statistics_are_those_of_hugging_faces_collator():
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(), mask_token="<mask>", eos_token="<eos>", unk_token="<unk>", pad_token="<eos>"
    )
    collator = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15, seed=0)
    rows = TOKENS[: 37 * 100].astype(np.int64).reshape(-1, 37)
    numbers = np.random.default_rng(0).random((len(rows), 4 * 37 + 1))
    seen = []
    theirs = collator([{"input_ids": row} for row in rows.tolist()])
    for inputs, targets in (
        (np.asarray(theirs[name]) for name in ("input_ids", "labels")),
        made().hidden(rows, numbers),
    ):
        is_hidden = targets != IGNORE
        assert not pieces().is_special[rows][is_hidden].any()
        seen.append([is_hidden.mean(), *((one)[is_hidden].mean() for one in (inputs == MASK, inputs == rows))])
    assert seen[1] == pytest.approx(seen[0], abs=0.06)


def _tokenizer():
    from tokenizers import AddedToken, Tokenizer, models

    names = {"<eos>": EOS, "<unk>": UNK, **{f"w{index}": index for index in range(2, MASK)}, "<mask>": MASK}
    made = Tokenizer(models.WordLevel(names, unk_token="<unk>"))
    made.add_special_tokens([AddedToken(name, special=True) for name in ("<eos>", "<unk>", "<mask>")])
    return made
