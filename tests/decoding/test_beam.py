"""Beam search against enumeration, against greedy decoding, against transformers, and one row against a batch."""

import math
from itertools import pairwise, product

import pytest
import torch
import transformers
from torch import nn

from lmlab import config as configuration
from lmlab.command.load import Decoder
from lmlab.command.pretrained import ARCHITECTURES, composed, keys_of, weights_of_folder
from lmlab.decoding.beam import search
from lmlab.decoding.loop import generate
from lmlab.decoding.sample import greedy
from lmlab.exchange.architecture import by_type, complete
from lmlab.exchange.folder import Folder
from lmlab.types import Mistake, Output

VOCAB, EOS = 4, 3


class Tiny(nn.Module):
    """A GRU whose logits depend on all that was read; state batch first."""

    dim, causal, state_grows = 6, True, False

    def __init__(self, seed, vocab_size=VOCAB):
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(vocab_size, 6)
        self.layer = nn.GRU(6, 6, batch_first=True)
        self.output = nn.Linear(6, vocab_size)
        with torch.no_grad():
            self.output.weight.mul_(6)

    def forward(self, inputs, document=None, memory=None, state=None):
        states, last = self.layer(self.embedding(inputs), None if state is None else state.transpose(0, 1).contiguous())
        return Output(states, last.transpose(0, 1))


class Chain(nn.Module):
    """p(next | last), by a table."""

    causal, state_grows = True, False

    def __init__(self, table):
        super().__init__()
        self.dim = len(table)
        self.embedding = nn.Embedding.from_pretrained(torch.tensor(table).log())

    def forward(self, inputs, document=None, memory=None, state=None):
        return Output(self.embedding(inputs), inputs[:, -1:])


def enumerated(model, prompt, length_penalty, max_tokens=4):
    """Every text that can come out, with its score, the best first."""
    texts = [(*ids, EOS) for size in range(max_tokens) for ids in product(range(VOCAB - 1), repeat=size)]
    texts += list(product(range(VOCAB - 1), repeat=max_tokens))
    found = []
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([[*prompt, *text]])
            log_probs = model.output(model(ids).states)[0].log_softmax(-1)
            log_prob = sum(float(log_probs[len(prompt) - 1 + place, token]) for place, token in enumerate(text))
            score = log_prob / ((5 + len(text)) / 6) ** length_penalty
            found.append(([token for token in text if token != EOS], score))
    return sorted(found, key=lambda one: -one[1])


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_enough_beams_find_the_best_of_all_texts(seed, length_penalty):
    model, prompt = Tiny(seed).eval(), [seed % 3, 1]
    expected = enumerated(model, prompt, length_penalty)[:5]
    options = {"max_tokens": 4, "eos": EOS, "length_penalty": length_penalty, "num_best": 5}
    (found,) = search(model, model.output, torch.tensor([prompt]), num_beams=VOCAB**4, **options)
    assert [one.ids for one in found] == [ids for ids, _ in expected]
    assert [one.score for one in found] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_two_beams_see_what_greedy_decoding_misses():
    """From 0: 1 (0.6) and then anything, or 2 (0.4) and then surely the end."""
    tiny = 1e-9
    table = [[tiny, 0.6, 0.4, tiny], [0.34, 0.33, 0.32, 0.01], [tiny, tiny, 0.01, 0.99], [0.25] * 4]
    model, prompt = Chain(table), torch.tensor([[0]])
    options = {"max_tokens": 3, "eos": EOS}
    assert search(model, nn.Identity(), prompt, num_beams=1, **options)[0][0].ids[0] == 1
    ((best,),) = search(model, nn.Identity(), prompt, num_beams=2, **options)
    assert best.ids == [2]
    assert best.score == pytest.approx(math.log(0.4 * 0.99), abs=1e-5)


def test_a_search_goes_on_as_long_as_the_penalty_may_lift_a_longer_text():
    """<eos> at once has log 0.5; 1 1 1 1 has log 0.45, which the penalty lifts above it."""
    tiny = 1e-9
    table = [[tiny, 0.45, 0.05, 0.5], [tiny, 1.0, tiny, tiny], [tiny, tiny, tiny, 1.0], [0.25] * 4]
    options = {"num_beams": 1, "max_tokens": 4, "eos": EOS}
    prompt = torch.tensor([[0]])
    assert search(Chain(table), nn.Identity(), prompt, **options)[0][0].ids == []
    ((best,),) = search(Chain(table), nn.Identity(), prompt, length_penalty=1.0, **options)
    assert best.ids == [1, 1, 1, 1]
    assert best.score == pytest.approx(math.log(0.45) / (9 / 6), abs=1e-5)


def test_nothing_is_read_after_the_best_is_certain():
    table = [[0.01, 0.09, 0.1, 0.8]] * 4
    model, calls = Chain(table), []
    model.register_forward_hook(lambda *_: calls.append(1))
    search(model, nn.Identity(), torch.tensor([[0], [1]]), num_beams=3, max_tokens=50, eos=EOS)
    assert len(calls) == 1


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_the_best_are_distinct_sorted_and_repeat_no_n_gram(length_penalty):
    model, prompt = Tiny(5, vocab_size=9).eval(), torch.tensor([[1, 2], [4, 4], [7, 8]])
    options = {"num_beams": 6, "num_best": 6, "max_tokens": 12, "eos": 3, "length_penalty": length_penalty}
    rows = search(model, model.output, prompt, no_repeat_ngram=2, **options)
    for begin, row in zip(prompt.tolist(), rows, strict=True):
        assert len({tuple(one.ids) for one in row}) == 6
        assert [one.score for one in row] == sorted((one.score for one in row), reverse=True)
        for one in row:
            text = begin + one.ids
            pairs = list(pairwise(text))
            assert len(set(pairs)) == len(pairs)


def test_n_grams_of_the_prompt_are_free_where_they_do_not_count():
    table = [[0.01, 0.97, 0.01, 0.01], [0.97, 0.01, 0.01, 0.01], [0.25] * 4, [0.25] * 4]
    options = {"num_beams": 1, "max_tokens": 4, "eos": None, "no_repeat_ngram": 2}
    prompt = torch.tensor([[0, 1, 0]])
    assert search(Chain(table), nn.Identity(), prompt, **options)[0][0].ids[:2] != [1, 0]
    assert search(Chain(table), nn.Identity(), prompt, counts_prompt=False, **options)[0][0].ids[:3] == [1, 0, 1]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_rows_of_a_batch_are_found_as_each_alone(length_penalty):
    model, prompt = Tiny(3, vocab_size=9).eval(), torch.tensor([[1, 2], [4, 4], [7, 8], [0, 0]])
    options = {"num_beams": 3, "num_best": 2, "max_tokens": 9, "eos": 3, "length_penalty": length_penalty}
    together = search(model, model.output, prompt, **options)
    for row, found in enumerate(together):
        (alone,) = search(model, model.output, prompt[row : row + 1], **options)
        assert [one.ids for one in found] == [one.ids for one in alone]
        assert [one.score for one in found] == pytest.approx([one.score for one in alone], abs=1e-5)
    assert len({len(row[0].ids) for row in together}) > 1


def test_one_beam_is_greedy_and_goes_on_where_nothing_ends():
    model, prompt = Tiny(3, vocab_size=9).eval(), torch.tensor([[1, 2], [4, 4]])
    options = {"max_tokens": 9, "context_size": None}
    for eos in (None, 3):
        new = generate(model, model.output, prompt, choose=greedy(), eos=eos, seed=0, **options).tolist()
        cut = [row[: row.index(3)] if eos in row else row for row in new]
        found = search(model, model.output, prompt, num_beams=1, eos=eos, **options)
        assert [row[0].ids for row in found] == cut


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A GPT-2 of transformers with every weight drawn, and lmlab's with the same weights."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=11, n_positions=32, n_embd=24, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2, pad_token_id=2
    )
    theirs, path = transformers.GPT2LMHeadModel(config).eval(), tmp_path_factory.mktemp("gpt2")
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    theirs.save_pretrained(path)
    folder = Folder(path)
    architecture = by_type(ARCHITECTURES, folder.config)
    config = composed(keys_of(architecture, complete(architecture, folder.config)))
    config.tokenizer._target_ = "lmlab.tokenizer.pretrained.Pretrained"
    model = configuration.build(config, "model")(vocab_size=11, causal=True)
    head = configuration.build(config, "head")(dim=model.dim, vocab_size=11, embedding=model.embedding)
    ours = Decoder(model, head).eval()
    ours.load_state_dict(weights_of_folder(config, 11, str(path), ours.state_dict()))
    return theirs, ours


@pytest.mark.parametrize("no_repeat_ngram", [None, 2])
@pytest.mark.parametrize("num_beams", [2, 5])
def test_texts_and_scores_are_those_of_transformers(both, num_beams, no_repeat_ngram):
    theirs, ours = both
    prompt = torch.tensor([[3, 4, 5], [6, 7, 8], [10, 9, 3], [5, 5, 4]])
    out = theirs.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        num_beams=num_beams,
        num_return_sequences=2,
        max_new_tokens=12,
        length_penalty=0.0,
        early_stopping="never",
        no_repeat_ngram_size=no_repeat_ngram or 0,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    expected = [row[: row.index(2)] if 2 in row else row for row in out.sequences[:, 3:].tolist()]
    options = {"num_beams": num_beams, "num_best": 2, "max_tokens": 12, "eos": 2, "no_repeat_ngram": no_repeat_ngram}
    found = [one for row in search(ours.model, ours.head, prompt, **options) for one in row]
    assert [one.ids for one in found] == expected
    assert [one.score for one in found] == pytest.approx(out.sequences_scores.tolist(), abs=1e-4)
    assert num_beams == 2 or len({len(ids) for ids in expected}) > 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_beams": 0}, "num_beams=0"),
        ({"num_beams": 2, "num_best": 3}, "num_best=3"),
        ({"length_penalty": -1.0}, "length_penalty=-1.0"),
        ({"no_repeat_ngram": 0}, "no_repeat_ngram=0"),
    ],
)
def test_senseless_values_are_refused_with_their_key(changes, words):
    model = Tiny(0)
    with pytest.raises(Mistake, match=words):
        search(model, model.output, torch.tensor([[0]]), **{"num_beams": 2, "max_tokens": 3, "eos": 3} | changes)
