import numpy as np
import pytest
import torch

from lmlab.head.least_squares import LeastSquares, at_once, parameters
from lmlab.model.glove import Glove
from lmlab.types import Cooccurrences, Mistake, Vocabulary, WordHead

WORDS = Vocabulary(tuple("abcdefghijk"), np.arange(11))
KEYS = {"x_max": 10.0, "alpha": 0.75}


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = Glove(dim=19, vocabulary=WORDS)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def head(**changed):
    return LeastSquares(dim=19, vocabulary=WORDS, **KEYS | changed)


def pairs(number=150):
    random = torch.Generator().manual_seed(1)
    rows, columns = torch.randint(0, 11, (2, number), dtype=torch.int32, generator=random)
    return Cooccurrences(rows, columns, torch.rand(number, generator=random) * 20 + 0.1)


def formula(model, batch):
    """Eq. 8 and 9, and the half."""
    rows, columns = batch.rows.long(), batch.columns.long()
    w, c = model.embedding.weight[rows], model.context.weight[columns]
    predicted = torch.einsum("pd,pd->p", w, c) + model.bias[rows] + model.context_bias[columns]
    weights = torch.where(batch.counts < 10, (batch.counts / 10) ** 0.75, 1.0)
    return (weights * (predicted - batch.counts.log()) ** 2 / 2).sum()


def adagrad(model, **changed):
    return torch.optim.Adagrad(model.parameters(), **{"lr": 0.3, "initial_accumulator_value": 0.7} | changed)


def test_a_pass_is_torchs_adagrad_on_one_pair_after_the_other(model):
    batch, other = pairs(), Glove(dim=19, vocabulary=WORDS)
    other.load_state_dict(model.state_dict())
    ours, theirs = adagrad(model), adagrad(other, lr=0.2)
    total, number = head().update(model, batch, ours, 0.2, seed=0, threads=1)
    expected = 0.0
    for index in range(number):
        loss = formula(
            other, Cooccurrences(*(one[index : index + 1] for one in (batch.rows, batch.columns, batch.counts)))
        )
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        expected += loss.item()
    assert total == pytest.approx(expected, rel=1e-4)
    for mine, one in zip(parameters(model), parameters(other)):
        torch.testing.assert_close(mine, one, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.state[mine]["sum"], theirs.state[one]["sum"], rtol=1e-4, atol=1e-5)


def test_all_at_once_is_torchs_adagrad_on_the_whole_step(model):
    batch, other = pairs(), Glove(dim=19, vocabulary=WORDS)
    other.load_state_dict(model.state_dict())
    theirs = adagrad(other)
    loss = formula(other, batch)
    loss.backward()
    theirs.step()
    tables = [parameter.detach() for parameter in parameters(model)]
    sums = [torch.full_like(table, 0.7) for table in tables]
    terms = batch.counts.log(), (batch.counts / 10).clamp(max=1) ** 0.75
    total = at_once(batch.rows, batch.columns, terms, tables, sums, (0.3, 1e-10))
    assert total == pytest.approx(loss.item(), rel=1e-5)
    for mine, one in zip(parameters(model), parameters(other)):
        torch.testing.assert_close(mine, one, rtol=1e-4, atol=1e-5)


def test_a_rate_of_zero_measures(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    idle = adagrad(model)
    total, number = head().update(model, pairs(), idle, 0.0, seed=0, threads=1)
    assert (total, number) == (pytest.approx(formula(model, pairs()).item(), rel=1e-5), 150)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all((state["sum"] == 0.7).all() for state in idle.state.values())


def test_one_thread_repeats_its_bits_and_several_learn_as_well():
    def trained(threads):
        torch.manual_seed(0)
        model = Glove(dim=19, vocabulary=WORDS)
        optimizer = adagrad(model)
        losses = [head().update(model, pairs(), optimizer, 0.3, seed=0, threads=threads)[0] for _ in range(30)]
        assert losses[-1] < losses[0] / 4
        return model.vectors()

    assert torch.equal(trained(1), trained(1))
    trained(3)


def test_it_finds_the_factors_of_counts_that_have_them():
    torch.manual_seed(0)
    truth, model = Glove(dim=3, vocabulary=WORDS), Glove(dim=3, vocabulary=WORDS)
    for parameter in truth.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    rows, columns = (part.flatten().int() for part in torch.meshgrid(torch.arange(11), torch.arange(11), indexing="ij"))
    logs = truth.embedding.weight @ truth.context.weight.T + truth.bias[:, None] + truth.context_bias
    batch, optimizer = Cooccurrences(rows, columns, logs.detach().exp().flatten()), adagrad(model)
    for _ in range(600):
        total, number = head(x_max=1.0).update(model, batch, optimizer, 0.3, seed=0, threads=1)
    assert total / number < 1e-3


def test_it_is_a_head(model):
    assert isinstance(head(), WordHead)
    head().check(model, adagrad(model))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda model: (model, torch.optim.SGD(model.parameters(), lr=0.1)), "not by SGD; choose optimizer=adagrad"),
        (lambda model: (model, adagrad(model, weight_decay=0.1)), r"set optimizer\.weight_decay=0"),
        (lambda model: (model, adagrad(model, lr_decay=0.1)), r"set optimizer\.lr_decay=0"),
        (
            lambda model: (model.requires_grad_(False), adagrad(Glove(dim=2, vocabulary=WORDS))),
            "leave model.embedding.freeze",
        ),
    ],
)
def test_what_it_cannot_train_is_refused(model, change, sentence):
    with pytest.raises(Mistake, match=sentence):
        head().check(*change(model))


def test_impossible_values_are_refused():
    with pytest.raises(Mistake, match=r"head\.x_max=0\.0 is not above 0"):
        head(x_max=0.0)
    with pytest.raises(Mistake, match=r"head\.alpha=-0\.5 would let rare pairs weigh more"):
        head(alpha=-0.5)
