import pytest
import torch
from torch import nn

from lmlab.model.attention import running_sum
from lmlab.model.attention.linear import Linear
from lmlab.model.position.rotary import Rotary
from lmlab.model.position.scaling.none import NoScaling
from lmlab.types import Mask, Mistake

KEYS = {"dim": 8, "num_heads": 2, "num_kv_heads": None, "head_dim": None, "bias": True, "qk_norm": False}
DOCUMENT = torch.tensor([[0, 0, 1, 1, 1, 2, 2, 3, 0, 3, 0], [5, 5, 5, 5, 2, 2, 2, 2, 2, 9, 9]])


def made(memory_dim=None, **keys):
    torch.manual_seed(0)
    part = Linear(memory_dim=memory_dim, **KEYS | keys)
    for parameter in part.parameters():
        nn.init.normal_(parameter, std=0.5)
    return part


def phi(vector):
    return torch.where(vector > 0, vector + 1, vector.exp())


@pytest.mark.parametrize("memory_dim", [None, 5])
@pytest.mark.parametrize("turned", [False, True])
def test_a_query_takes_each_value_by_its_share(memory_dim, turned):
    """Katharopoulos et al. 2020, eq. 8 and 9; Su et al. 2021, eq. 19, where the numerator is turned."""
    part = made(memory_dim)
    query = torch.randn(1, 4, 8)
    memory = query if memory_dim is None else torch.randn(1, 6, memory_dim)
    rotary = Rotary(dim=8, head_dim=4, num_heads=2, causal=True, base=100.0, scaling=NoScaling())
    rotate = rotary.rotation(torch.arange(4)[None]) if turned and memory_dim is None else None
    mask = Mask(is_causal=memory_dim is None)
    output, _, weights = part(query, memory, mask, rotate=rotate, with_weights=True)
    queries, keys, values = (heads[0] for heads in part.heads.split(query, memory, None))
    expected = torch.zeros(4, 8)
    for head in range(2):
        for i in range(4):
            seen = range(i + 1 if memory_dim is None else 6)
            plain = [phi(queries[head, i]) @ phi(keys[head, j]) for j in seen]
            above = plain
            if rotate is not None:
                turn = [rotary.rotation(torch.tensor([[place]])) for place in range(4)]
                above = [
                    (
                        turn[i](phi(queries[head, i])[None, None, None]) * turn[j](phi(keys[head, j])[None, None, None])
                    ).sum()
                    for j in seen
                ]
            for j, share in zip(seen, above):
                torch.testing.assert_close(weights[0, head, i, j], share / sum(plain))
                expected[i, 4 * head : 4 * head + 4] += share / sum(plain) * values[head, j]
    torch.testing.assert_close(output[0], part.heads.output(expected))


@pytest.mark.parametrize("chunk", [1, 3, 4, 64])
@pytest.mark.parametrize("document", [None, DOCUMENT], ids=["whole", "packed"])
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "encoder"])
def test_chunks_of_any_size_give_what_the_square_gives(monkeypatch, chunk, document, causal):
    monkeypatch.setattr(running_sum, "CHUNK", chunk)
    part = made(num_kv_heads=1)
    states = torch.randn(2, 11, 8)
    output, _, weights = part(states, states, Mask(is_causal=causal, document=document), with_weights=True)
    values = part.heads.split(states, states, None)[2]
    torch.testing.assert_close(output, part.heads.merge(weights @ values))
    if document is not None:
        foreign = document[:, None, :, None] != document[:, None, None, :]
        assert weights.masked_select(foreign).abs().max() == 0
    if causal:
        assert weights.triu(1).abs().max() == 0


@pytest.mark.parametrize("document", [None, DOCUMENT], ids=["whole", "packed"])
def test_chunks_hand_their_sums_on_to_the_next_call(monkeypatch, document):
    monkeypatch.setattr(running_sum, "CHUNK", 2)
    part = made()
    states = torch.randn(2, 11, 8)
    whole, after, _ = part(states, states, Mask(is_causal=True, document=document))
    state, before, outputs = None, None, []
    for piece in (slice(0, 5), slice(5, 6), slice(6, 11)):
        numbers = None if document is None else document[:, piece]
        output, state, _ = part(
            states[:, piece], states[:, piece], Mask(is_causal=True, document=numbers, before=before), state
        )
        if document is not None:
            before = running_sum.carried(document[:, : piece.stop])[:, -1]
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole)
    for ours, expected in zip(state, after):
        torch.testing.assert_close(ours, expected)


def test_packed_pairs_of_a_cross_attention_are_read_as_a_square():
    part = made(5)
    query, memory = torch.randn(2, 3, 8), torch.randn(2, 4, 5)
    allowed = torch.tensor([[1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1]]).bool()[None, None]
    output, _, weights = part(query, memory, Mask(allowed=allowed), with_weights=True)
    assert weights.masked_select(~allowed).abs().max() == 0
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 3))
    torch.testing.assert_close(output, part.heads.merge(weights @ part.heads.split(query, memory, None)[2]))


def test_weights_on_what_was_summed_before_are_refused():
    part, states = made(), torch.randn(1, 3, 8)
    _, state, _ = part(states, states, Mask(is_causal=True))
    with pytest.raises(Mistake, match="no weights on it"):
        part(states, states, Mask(is_causal=True), state, with_weights=True)


@pytest.mark.parametrize(("choice", "said"), [
    (("model/position=alibi",), r"model\.position \(Alibi\) adds to the score of each pair"),
    (("model/position=t5",), r"model\.position \(T5\) adds to the score of each pair"),
    (("model/position=learned",), r"model\.position \(Learned\) has 32 places, .* without end"),
    (("model/position=shaw",), r"model\.position \(Shaw\) adds vectors to keys, and model\.attention \(Linear\)"),
    (("model/position/scaling=yarn",), r"set model\.position\.scaling\.attention_factor=1\.0"),
    (("model/pattern=sliding_window",), r"model\.pattern \(SlidingWindow\) hides single pairs"),
    (("model/pattern=local_global",), r"model\.pattern \(LocalGlobal\) hides single pairs"),
])  # fmt: skip
def test_what_needs_single_pairs_is_refused_when_the_model_is_built(build, choice, said):
    with pytest.raises(Mistake, match=said):
        build(("model=transformer", "model/attention=linear", *choice))


def test_an_encoder_has_an_end_and_takes_learned_places(build):
    model = build(("model=transformer", "model/attention=linear", "model/position=learned"), causal=False)
    assert model(torch.zeros(1, 5, dtype=torch.long)).states.shape == (1, 5, 24)
