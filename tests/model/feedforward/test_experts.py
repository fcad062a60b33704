"""Experts against a loop over tokens and Mixtral of transformers; the balance loss; what a capacity drops."""

import logging
from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.mixtral import modeling_mixtral as mixtral

from lmlab import cli, config
from lmlab.budget.parameters import count
from lmlab.command.size import fix_size, on_meta
from lmlab.model.feedforward import experts
from lmlab.model.feedforward.experts import Experts
from lmlab.model.feedforward.mlp import Mlp
from lmlab.model.feedforward.routing import balance_loss, within_capacity, z_loss
from lmlab.model.feedforward.swiglu import Swiglu
from lmlab.types import Mistake

DIM, HIDDEN = 6, 5
MLP = partial(Mlp, activation=nn.ReLU(), expansion=4.0, hidden_dim=HIDDEN, bias=True)
SWIGLU = partial(Swiglu, expansion=4.0, hidden_dim=HIDDEN, bias=False)
KEYS = {
    "num_experts": 4, "num_shared": 0, "top_k": 2, "normalize": True, "balance_weight": 0.5, "balance_within": "sequence",
    "z_weight": 0.0, "capacity_factor": None,
}  # fmt: skip
STATES = torch.randn(2, 7, DIM, generator=torch.Generator().manual_seed(0))
IS_REAL = torch.tensor([[True] * 7, [False, False, True, True, True, False, False]])


def made(expert=MLP, **keys) -> Experts:
    torch.manual_seed(1)
    return Experts(dim=DIM, expert=expert, **(KEYS | keys))


def by_token(part: Experts, state):
    """sum_i g_i(x) E_i(x) of one token, as it is written."""
    probabilities = torch.softmax(part.router.weight @ state, 0)
    chosen = probabilities.argsort(descending=True)[: part.top_k]
    whole = probabilities[chosen].sum() if part.normalize else 1.0
    routed = [probabilities[i] / whole * part.experts[i](state[None, None])[0, 0] for i in chosen]
    return sum([*routed, *(shared(state[None, None])[0, 0] for shared in part.shared)])


@pytest.mark.parametrize(
    "keys", [{}, {"top_k": 1, "normalize": False}, {"top_k": 3, "normalize": False}, {"num_shared": 2}], ids=str
)
@pytest.mark.parametrize("expert", [MLP, SWIGLU], ids=["mlp", "swiglu"])
def test_experts_equal_a_loop_over_tokens_in_outputs_and_gradients(expert, keys):
    part = made(expert, **keys)
    states = STATES.clone().requires_grad_()
    outputs, _ = part(states, IS_REAL)
    expected = torch.stack([torch.stack([by_token(part, state) for state in row]) for row in states])
    torch.testing.assert_close(outputs, expected)
    weights = torch.randn_like(outputs)
    own, theirs = (
        torch.autograd.grad((one * weights).sum(), [states, *part.parameters()], allow_unused=True)
        for one in (outputs, expected)
    )
    for one, other in zip(own, theirs, strict=True):
        assert one is not None, "also an expert without a token has a gradient, or ranks would wait for it"
        torch.testing.assert_close(one, torch.zeros_like(one) if other is None else other)


def mixtral_like():
    return SimpleNamespace(
        num_experts_per_tok=2, num_local_experts=4, hidden_size=DIM, intermediate_size=HIDDEN, hidden_act="silu",
        router_jitter_noise=0.0, _experts_implementation="eager",
    )  # fmt: skip


def test_experts_and_their_balance_equal_mixtral_of_transformers():
    part, theirs = made(SWIGLU).train(), mixtral.MixtralSparseMoeBlock(mixtral_like())
    theirs.gate.weight.data = part.router.weight.data
    theirs.experts.gate_up_proj.data = torch.stack([one.input.weight for one in part.experts])
    theirs.experts.down_proj.data = torch.stack([one.output.weight for one in part.experts])
    outputs, losses = part(STATES[:1])
    torch.testing.assert_close(outputs, theirs(STATES[:1]))
    logits = theirs.gate(STATES[0])[0]
    balance = mixtral.load_balancing_loss_func((logits,), 4, 2) / 2  # they count a token once for each of its experts
    torch.testing.assert_close(losses["balance"], 0.5 * balance)


def test_the_balance_loss_is_one_where_all_are_used_alike_and_n_where_one_is():
    even = torch.full((1, 8, 4), 0.25)
    choice = torch.arange(8).remainder(4).view(1, 8, 1)
    real = torch.ones(1, 8, dtype=torch.bool)
    assert balance_loss(even, choice, real).item() == pytest.approx(1.0)
    one = F.one_hot(torch.zeros(1, 8, dtype=torch.long), 4).float()
    assert balance_loss(one, torch.zeros_like(choice), real).item() == pytest.approx(4.0)


@pytest.mark.parametrize("within", ["sequence", "batch"])
def test_padding_counts_in_no_loss(within):
    part = made(balance_within=within, z_weight=0.1).train()
    _, losses = part(STATES[1:], IS_REAL[1:])
    _, alone = part(STATES[1:, 2:5])
    assert set(losses) == {"balance", "router_z"}
    for name, loss in losses.items():
        torch.testing.assert_close(loss, alone[name])


def test_a_sequence_s_balance_does_not_depend_on_its_batch_but_that_of_a_pass_does():
    apart = {}
    for within in ("sequence", "batch"):
        part = made(balance_within=within).train()
        whole = part(STATES, IS_REAL)[1]["balance"]
        rows = [part(STATES[row : row + 1], IS_REAL[row : row + 1])[1]["balance"] for row in range(2)]
        apart[within] = (whole - sum(rows) / 2).abs().item()
    assert apart["sequence"] < 1e-7 < 1e-3 < apart["batch"]


def test_the_z_loss_equals_its_formula():
    logits = torch.randn(1, 3, 4)
    real = torch.tensor([[True, False, True]])
    expected = logits[0, [0, 2]].exp().sum(-1).log().square().mean()
    torch.testing.assert_close(z_loss(logits, real), expected)


def test_losses_are_of_training_and_of_their_weights_alone():
    assert made().eval()(STATES)[1] == {}
    assert made(balance_weight=0.0).train()(STATES)[1] == {}


def test_first_choices_find_room_before_second_ones_and_earlier_tokens_before_later():
    choice = torch.tensor([[0, 1], [0, 1], [1, 0], [0, 2]])
    real = torch.tensor([True, True, True, True])
    assert within_capacity(choice, real, num_experts=4, factor=1.0).tolist() == [
        [True, True], [True, False], [True, False], [False, True],
    ]  # fmt: skip
    real[0] = False  # it takes no room
    assert within_capacity(choice, real, num_experts=4, factor=1.0).tolist() == [
        [False, False], [True, True], [True, False], [True, True],
    ]  # fmt: skip


def test_a_capacity_drops_in_training_alone_and_says_what_that_breaks(caplog):
    experts.warn_of_capacity.cache_clear()
    part, free = made(capacity_factor=0.5), made()
    torch.testing.assert_close(part.eval()(STATES)[0], free.eval()(STATES)[0])
    with caplog.at_level(logging.WARNING):
        dropped = part.train()(STATES)[0]
        part(STATES)
    assert len(caplog.records) == 1
    assert "depends on the other tokens" in caplog.text
    assert ((dropped - free(STATES)[0]).abs().amax(-1) > 1e-4).any()
    plenty = made(capacity_factor=4.0).train()(STATES)[0]
    torch.testing.assert_close(plenty, free(STATES)[0])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"top_k": 5}, "top_k=5 of model.feedforward.num_experts=4; set it to 1 up to 4"),
        ({"top_k": 0}, "top_k=0"),
        ({"top_k": 1}, "set model.feedforward.normalize=false"),
        ({"num_experts": 0}, "num_experts=0 leaves no expert"),
        ({"num_shared": -1}, "num_shared=-1"),
        ({"capacity_factor": 0.0}, "capacity_factor=0.0 leaves no room"),
    ],
)
def test_what_makes_no_sense_is_refused(keys, said):
    with pytest.raises(Mistake, match=said):
        made(**keys)


def test_experts_of_experts_are_refused():
    with pytest.raises(Mistake, match="expert is a mixture"):
        made(partial(Experts, expert=MLP, **KEYS))


def test_flops_are_those_of_the_chosen_experts_and_params_sets_their_width(tiny):
    from lmlab.command.experiment import resolve
    from lmlab.command.size import flops_per_token

    def flops(*words: str) -> float:
        return flops_per_token(resolve(config.compose(tiny("model.dim=24", *words))))

    hidden = 96
    router = 6 * 24 * 8
    dense, sparse = flops(f"model.feedforward.hidden_dim={2 * hidden}"), flops("model/feedforward=experts")
    assert sparse == pytest.approx(dense + router)
    sized = config.compose(tiny("model/feedforward=experts", "model.params=100k"))
    fix_size(sized, 60)
    assert sized.model.feedforward.expert.hidden_dim is not None
    assert count(on_meta(sized, 60)) == pytest.approx(100_000, rel=0.01)


def test_training_writes_the_balance_and_takes_another_expert(tiny, capsys, tmp_path):
    words = ["model/feedforward=experts", "model/feedforward@model.feedforward.expert=swiglu", "trainer.log_every=1"]
    assert cli.run(["train", *tiny(*words), "fresh=true", f"output_dir={tmp_path}"]) == 0
    (lines,) = tmp_path.glob("**/metrics.jsonl")
    assert '"train/balance": 0.01' in lines.read_text()
