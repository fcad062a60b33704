import math

import pytest
import torch

from lmlab.model.position.alibi import Alibi
from lmlab.model.position.rotary import Rotary
from lmlab.model.position.scaling.none import NoScaling
from lmlab.model.position.shaw import Shaw
from lmlab.model.position.sinusoidal import Sinusoidal
from lmlab.model.position.t5 import T5
from lmlab.types import Mistake

PLACES = torch.arange(7)[None]


def test_sinusoidal_waves_are_those_of_the_paper():
    waves = Sinusoidal(dim=5, head_dim=5, num_heads=1, causal=True, base=10000.0).embed(torch.zeros(1, 7, 5), PLACES)[0]
    for place in range(7):
        for i in range(5):
            wave = math.cos if i % 2 else math.sin
            assert waves[place, i].item() == pytest.approx(wave(place / 10000 ** ((i - i % 2) / 5)), abs=1e-6)


def test_rotary_scores_depend_on_distance_alone():
    position = Rotary(dim=8, head_dim=8, num_heads=1, causal=True, base=10000.0, scaling=NoScaling())
    query, key = torch.randn(2, 1, 1, 3, 8).unbind(0)
    near, far = position.rotation(torch.tensor([[2]])), position.rotation(torch.tensor([[50]]))
    near_key, far_key = position.rotation(torch.tensor([[5]])), position.rotation(torch.tensor([[53]]))
    score = (near(query) * near_key(key)).sum(-1)
    torch.testing.assert_close((far(query) * far_key(key)).sum(-1), score, atol=1e-4, rtol=1e-4)
    assert ((far(query) * near_key(key)).sum(-1) - score).abs().max() > 1e-2


def test_rotary_turns_each_pair_by_its_angle():
    rotate = Rotary(dim=4, head_dim=4, num_heads=1, causal=True, base=100.0, scaling=NoScaling()).rotation(
        torch.tensor([[3]])
    )
    vector = torch.tensor([1.0, 2.0, 3.0, 4.0])
    turned = rotate(vector.view(1, 1, 1, 4)).flatten()
    for pair, angle in enumerate((3.0, 3.0 / 10.0)):
        a, b = vector[pair].item(), vector[pair + 2].item()
        expected = (a * math.cos(angle) - b * math.sin(angle), b * math.cos(angle) + a * math.sin(angle))
        assert (turned[pair].item(), turned[pair + 2].item()) == pytest.approx(expected, abs=1e-6)


def test_rotary_refuses_odd_heads():
    with pytest.raises(Mistake, match=r"model\.dim=12 over model\.attention\.num_heads=4 .* multiple of 8"):
        Rotary(dim=12, head_dim=3, num_heads=4, causal=True, base=10000.0, scaling=NoScaling())


@pytest.mark.parametrize(("num_heads", "slopes"), [
    (4, [2**-2, 2**-4, 2**-6, 2**-8]),
    (6, [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]),
])  # fmt: skip
def test_alibi_slopes_are_those_of_the_paper(num_heads, slopes):
    bias = Alibi(dim=num_heads, head_dim=1, num_heads=num_heads, causal=True).bias(PLACES[:, 4:], PLACES)
    assert bias.shape == (1, num_heads, 3, 7)
    torch.testing.assert_close(-bias[0, :, 0, 3], torch.tensor(slopes))
    torch.testing.assert_close(-bias[0, :, 2, 3], 3 * torch.tensor(slopes))


@pytest.mark.parametrize("causal", [True, False])
def test_t5_buckets_are_those_of_hugging_face(causal):
    reference = pytest.importorskip("transformers.models.t5.modeling_t5").T5Attention._relative_position_bucket
    position = T5(dim=8, head_dim=4, num_heads=2, causal=causal, num_buckets=32, max_distance=128)
    distance = torch.arange(-300, 1 if causal else 301)
    assert torch.equal(position.bucket(distance), reference(distance, bidirectional=not causal))
    bias = position.bias(PLACES[:, 4:], PLACES)
    torch.testing.assert_close(bias[0, :, 1, 3], position.table.weight[position.bucket(torch.tensor(-2))])


@pytest.mark.parametrize(("keys", "said"), [
    ({"num_buckets": 2, "max_distance": 8}, "num_buckets=2 are too few"),
    ({"num_buckets": 32, "max_distance": 8}, "max_distance=8 is among the 8 distances"),
])  # fmt: skip
def test_t5_refuses_buckets_that_hold_nothing(keys, said):
    with pytest.raises(Mistake, match=said):
        T5(dim=8, head_dim=4, num_heads=2, causal=False, **keys)


@pytest.mark.parametrize("causal", [True, False])
def test_shaw_gives_each_pair_the_vectors_of_its_clipped_distance(causal):
    torch.manual_seed(0)
    position = Shaw(dim=6, head_dim=3, num_heads=2, causal=causal, max_distance=2, on_values=True)
    keys, values = position.key.weight, position.value.weight
    assert len(keys) == (3 if causal else 5)
    queries, weights = torch.randn(1, 2, 3, 3), torch.rand(1, 2, 3, 7)
    relation = position.relation(PLACES[:, 4:], PLACES)
    scores, added = relation.scores(queries), relation.values(weights)
    for head in range(2):
        for i in range(3):
            expected = torch.zeros(3)
            for j in range(7):
                row = min(max(j - (i + 4), -2), 0 if causal else 2) + 2
                torch.testing.assert_close(scores[0, head, i, j], queries[0, head, i] @ keys[row])
                expected = expected + weights[0, head, i, j] * values[row]
            torch.testing.assert_close(added[0, head, i], expected)


def test_shaw_refuses_a_distance_that_tells_nothing_apart():
    with pytest.raises(Mistake, match=r"max_distance=0 tells no places apart"):
        Shaw(dim=8, head_dim=4, num_heads=2, causal=True, max_distance=0, on_values=True)
