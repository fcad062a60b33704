import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lmlab.model.attention.latent import Latent
from lmlab.model.position.rotary import Rotary
from lmlab.model.position.scaling.none import NoScaling
from lmlab.types import Mask, Mistake

KEYS = {
    "dim": 12, "num_heads": 3, "kv_rank": 5, "query_rank": 7, "rope_dim": 2, "bias": False, "dropout": 0.0,
    "latent_norm": False,
}  # fmt: skip


def made(memory_dim=None, **keys):
    torch.manual_seed(0)
    part = Latent(memory_dim=memory_dim, **KEYS | keys)
    for parameter in part.parameters():
        nn.init.normal_(parameter, std=0.5)
    return part


def rotation(places):
    return Rotary(dim=12, head_dim=2, num_heads=3, causal=True, base=100.0, scaling=NoScaling()).rotation(places)


@pytest.mark.parametrize("query_rank", [None, 7])
@pytest.mark.parametrize("memory_dim", [None, 6])
def test_heads_follow_from_the_equations_of_the_paper(query_rank, memory_dim):
    """DeepSeek-V2, eq. 9 to 19, head by head; a cross-attention turns nothing."""
    part = made(memory_dim, query_rank=query_rank)
    query = torch.randn(1, 4, 12)
    memory = query if memory_dim is None else torch.randn(1, 5, memory_dim)
    turn = rotation(torch.arange(4)[None]) if memory_dim is None else lambda heads: heads
    mask = Mask(is_causal=memory_dim is None)
    narrow = query[0] if query_rank is None else query[0] @ part.query_down.weight.T
    w_dkv, w_kr = part.memory_down.weight.split([5, 2])
    latent = memory[0] @ w_dkv.T
    shared = turn((memory[0] @ w_kr.T)[None, :, None])[0, :, 0]
    heads = []
    for head in range(3):
        w_uq, w_qr = part.query.weight[6 * head : 6 * head + 6].split([4, 2])
        rows = slice(4 * head, 4 * head + 4)
        keys = torch.cat((latent @ part.key_up.weight[rows].T, shared), dim=-1)
        queries = torch.cat((narrow @ w_uq.T, turn((narrow @ w_qr.T)[None, :, None])[0, :, 0]), dim=-1)
        scores = queries @ keys.T / (4 + 2) ** 0.5
        if memory_dim is None:
            scores = scores.masked_fill(torch.ones(4, 4).triu(1).bool(), -torch.inf)
        heads.append(scores.softmax(-1) @ (latent @ part.value_up.weight[rows].T))
    expected = torch.cat(heads, dim=-1) @ part.output.weight.T
    rotate = turn if memory_dim is None else None
    for with_weights in (False, True):  # keys and values by heads, or heads by the latent
        output, _, weights = part(query, memory, mask, rotate=rotate, with_weights=with_weights)
        torch.testing.assert_close(output[0], expected)
        assert (weights is None) != with_weights


def test_latents_are_normed_where_it_is_asked_for():
    part = made(latent_norm=True)
    states = torch.randn(1, 4, 12)
    _, (latent, _), _ = part(states, states, Mask(is_causal=True))
    down = states @ part.memory_down.weight[:5].T
    torch.testing.assert_close(latent, F.rms_norm(down, (5,), part.memory_norm.weight, 1e-6))


def test_the_state_is_the_latent_and_one_turned_key(build):
    model = build(
        ("model=transformer", "model/attention=latent", "model.attention.kv_rank=5", "model.attention.rope_dim=2")
    )
    caches, seen = model(torch.zeros(3, 9, dtype=torch.long)).state
    assert [[tuple(part.shape) for part in cache] for cache in caches] == 2 * [[(3, 9, 5), (3, 9, 2)]]
    assert seen == ()


@pytest.mark.parametrize(("keys", "said"), [
    ({"dim": 10}, r"model\.dim=10 is not divisible by model\.attention\.num_heads=3"),
    ({"memory_dim": 4, "rope_dim": 3}, r"model\.cross_attention\.rope_dim=3 is not made of pairs"),
    ({"kv_rank": 0}, r"model\.attention\.kv_rank=0 leaves nothing"),
    ({"query_rank": 0}, r"model\.attention\.query_rank=0 leaves nothing"),
])  # fmt: skip
def test_widths_that_cannot_be_are_refused(keys, said):
    with pytest.raises(Mistake, match=said):
        Latent(**{"memory_dim": None} | KEYS | keys)


@pytest.mark.parametrize("attention", ["latent", "additive", "concat", "cosine"])
def test_a_score_without_a_place_for_vectors_of_distances_refuses_them(build, attention):
    with pytest.raises(Mistake, match=r"model\.position \(Shaw\) adds vectors to keys"):
        build(("model=transformer", f"model/attention={attention}", "model/position=shaw"))
