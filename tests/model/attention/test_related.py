import pytest
import torch

from lmlab.model.attention.dot import Dot
from lmlab.model.attention.general import General
from lmlab.model.attention.scaled_dot import ScaledDot
from lmlab.model.position.shaw import Shaw
from lmlab.types import Mask

OPTIONS = {"logit_cap": None, "sinks": False, "gate": None, "backend": "auto"}
KEYS = {
    "dim": 12,
    "num_heads": 4,
    "num_kv_heads": 2,
    "head_dim": None,
    "bias": False,
    "dropout": 0.0,
    "qk_norm": False,
} | OPTIONS


@pytest.mark.parametrize("attention", [ScaledDot, Dot, General])
@pytest.mark.parametrize("on_values", [True, False])
def test_keys_and_values_have_the_vectors_of_their_distance_added(attention, on_values):
    """Shaw et al. 2018, eq. 3 and 4, pair by pair."""
    torch.manual_seed(0)
    part = attention(memory_dim=None, **KEYS)
    position = Shaw(dim=12, head_dim=3, num_heads=4, causal=True, max_distance=2, on_values=on_values)
    states, places = torch.randn(1, 5, 12), torch.arange(5)[None]
    mask = Mask(is_causal=True, relation=position.relation(places, places))
    output, _, weights = part(states, states, mask, with_weights=True)
    queries, keys, values = part.heads.split(states, states, None)
    queries, keys = part.prepared(queries, keys)
    heads = torch.zeros(1, 4, 5, 3)
    for head in range(4):
        for i in range(5):
            rows = [max(j - i, -2) + 2 for j in range(i + 1)]
            scores = [
                queries[0, head, i] @ (keys[0, head // 2, j] + position.key.weight[row]) for j, row in enumerate(rows)
            ]
            shares = (part.scale * torch.stack(scores)).softmax(0)
            torch.testing.assert_close(weights[0, head, i, : i + 1], shares)
            for j, row in enumerate(rows):
                added = position.value.weight[row] if on_values else 0.0
                heads[0, head, i] += shares[j] * (values[0, head // 2, j] + added)
    torch.testing.assert_close(output, part.heads.merge(heads))
    torch.testing.assert_close(part(states, states, mask)[0], output)


def test_dropout_falls_on_the_vectors_of_values_also():
    torch.manual_seed(0)
    part = ScaledDot(memory_dim=None, **KEYS | {"dropout": 0.5})
    position = Shaw(dim=12, head_dim=3, num_heads=4, causal=True, max_distance=2, on_values=True)
    part.heads.query.weight.data.zero_()  # alike scores, no values: what is left is of the vectors
    states, places = torch.randn(1, 5, 12), torch.arange(5)[None]
    mask = Mask(is_causal=True, relation=position.relation(places, places))
    one, two = (part.train()(states, states, mask)[0] for _ in range(2))
    assert not torch.equal(one, two)
