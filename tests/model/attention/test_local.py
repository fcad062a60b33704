"""Local attention with a predicted place (Luong et al. 2015, 3.2), held to its equations."""

from functools import partial

import torch

from lmlab.model.attention.general import General
from lmlab.model.attention.local import Local
from lmlab.types import Mask

OPTIONS = {"logit_cap": None, "sinks": False, "gate": None, "backend": "auto"}


def test_local_p_equals_equations_9_and_10():
    torch.manual_seed(0)
    score = partial(
        General, num_heads=1, num_kv_heads=None, head_dim=None, bias=False, dropout=0.0, qk_norm=False, **OPTIONS
    )
    local = Local(dim=6, memory_dim=5, num_heads=1, dropout=0.0, window=2, score=score)
    states, memory = torch.randn(1, 3, 6), torch.randn(1, 9, 5)
    length = 8  # the last key is padding
    got, _, weights = local(
        states, memory, Mask(allowed=(torch.arange(9) < length)[None, None, None]), with_weights=True
    )
    heads = local.score.heads
    key, value = heads.key_value.weight.chunk(2)
    for time in range(3):
        hidden = states[0, time]
        place = length * torch.sigmoid(local.place.weight[0] @ torch.tanh(local.hidden.weight @ hidden))
        near = [s for s in range(length) if abs(s - place) <= 2]
        scores = torch.stack([heads.query.weight @ hidden @ local.score.weight[0] @ key @ memory[0, s] for s in near])
        gaussian = torch.stack([torch.exp(-((s - place) ** 2) / (2 * 1.0**2)) for s in near])
        expected = torch.zeros(9).index_put((torch.tensor(near),), scores.softmax(0) * gaussian)
        torch.testing.assert_close(weights[0, 0, time], expected)
        torch.testing.assert_close(got[0, time], heads.output.weight @ value @ (expected @ memory[0]))


def test_the_predicted_place_learns():
    score = partial(
        General, num_heads=2, num_kv_heads=1, head_dim=None, bias=True, dropout=0.0, qk_norm=True, **OPTIONS
    )
    local = Local(dim=6, memory_dim=None, num_heads=2, dropout=0.0, window=3, score=score)
    states = torch.randn(2, 5, 6)
    local(states, states, Mask(is_causal=True))[0].square().sum().backward()
    assert local.place.weight.grad.abs().sum() > 0
