"""Each score against its formula, head by head and pair by pair."""

import pytest
import torch
from torch import nn

from lmlab.model.attention.additive import Additive
from lmlab.model.attention.concat import Concat
from lmlab.model.attention.cosine import Cosine
from lmlab.model.attention.general import General
from lmlab.types import Mask

OPTIONS = {"logit_cap": None, "sinks": False, "gate": None, "backend": "auto"}
KEYS = {
    "dim": 8,
    "num_heads": 2,
    "num_kv_heads": None,
    "head_dim": None,
    "bias": False,
    "dropout": 0.0,
    "qk_norm": False,
} | OPTIONS


def general(part, head, q, k):
    return q @ part.weight[head] @ k


def cosine(part, head, q, k):
    return part.log_strength[head].exp().item() * torch.cosine_similarity(q, k, dim=0)


def additive(part, head, q, k):
    return part.score[head, :, 0] @ torch.tanh(q + k)


def concat(part, head, q, k):
    return part.score[head, :, 0] @ torch.tanh(part.weight[head].T @ torch.cat([q, k]))


@pytest.mark.parametrize(
    ("kind", "score"), [(General, general), (Cosine, cosine), (Additive, additive), (Concat, concat)]
)
@pytest.mark.parametrize("memory_dim", [None, 5])
def test_weights_follow_from_the_score_of_each_pair(kind, score, memory_dim):
    torch.manual_seed(0)
    part = kind(memory_dim=memory_dim, **KEYS)
    for parameter in part.parameters():
        nn.init.normal_(parameter)
    query, memory = torch.randn(1, 3, 8), torch.randn(1, 4, memory_dim or 8)
    memory = query if memory_dim is None else memory
    output, _, weights = part(query, memory, Mask(), with_weights=True)
    queries, keys, values = (heads[0] for heads in part.heads.split(query, memory, None))
    for head in range(2):
        scores = torch.stack([torch.stack([score(part, head, q, k) for k in keys[head]]) for q in queries[head]])
        torch.testing.assert_close(weights[0, head], scores.softmax(-1))
    attended = (weights[0] @ values).transpose(0, 1).flatten(1)
    torch.testing.assert_close(output[0], part.heads.output(attended))
    torch.testing.assert_close(part(query, memory, Mask())[0], output)


def test_strengths_end_at_a_hundred():
    part = Cosine(memory_dim=None, **KEYS)
    part.log_strength.data.fill_(9.0)
    queries, _ = part.prepared(torch.randn(1, 2, 3, 4), torch.randn(1, 2, 3, 4))
    torch.testing.assert_close(queries.norm(dim=-1), torch.full((1, 2, 3), 100.0), rtol=1e-3, atol=0)
