import math

import pytest
import torch

from lmlab.model.course import reading_of
from lmlab.types import Memory, Mistake

MIXERS = ["mamba2", "gated_delta"]


@pytest.mark.parametrize("mixer", MIXERS)
@pytest.mark.parametrize("chunk_size", [1, 3, 50])
def test_the_length_of_a_chunk_changes_nothing(build, mixer, chunk_size):
    words = ("model=linear_recurrent", f"model/mixer={mixer}")
    document = torch.tensor([[0, 4, 4, 4, 4, 4, 0, 0, 7, 7, 7, 0, 7, 9, 9, 9, 9, 0, 0]])
    inputs, real = torch.randint(37, (1, 19)), document != 0
    expected = build((*words, "model.mixer.chunk_size=7"))(inputs, document)
    found = build((*words, f"model.mixer.chunk_size={chunk_size}"))(inputs, document)
    torch.testing.assert_close(found.states[real], expected.states[real], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.state, expected.state, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mixer", MIXERS)
def test_a_call_of_padding_alone_leaves_the_state_as_it_was(build, mixer):
    model = build(("model=linear_recurrent", f"model/mixer={mixer}"))
    before = model(torch.randint(37, (2, 5)), torch.tensor([[1, 1, 2, 2, 2], [3, 3, 3, 3, 0]])).state
    after = model(torch.randint(37, (2, 4)), torch.zeros(2, 4, dtype=torch.long), None, before).state
    torch.testing.assert_close(after, before, atol=0, rtol=0)


def test_an_encoder_reads_in_both_directions_and_adds(build):
    model = build(("model=mamba2", "model.num_layers=1"), causal=False)
    mirrored = build(("model=mamba2", "model.num_layers=1"), causal=False)
    (block,), (other,) = model.blocks, mirrored.blocks
    other.mixer, other.backward_mixer = block.backward_mixer, block.mixer
    inputs = torch.randint(37, (2, 9))
    torch.testing.assert_close(mirrored(inputs.flip(1)).states.flip(1), model(inputs).states)
    assert model(inputs).state is None


def test_a_row_is_read_with_its_padding_last_and_put_back():
    document = torch.tensor([[0, 1, 0, 1, 2, 0]])
    reading = reading_of(document, torch.tensor([1]))
    values = torch.arange(12).view(1, 6, 2)
    assert reading.document.tolist() == [[1, 1, 2, 0, 0, 0]]
    assert reading.arranged(values)[0, :, 0].tolist() == [2, 6, 8, 0, 4, 10]
    assert torch.equal(reading.restored(reading.arranged(values)), values)
    assert reading.last.tolist() == [2]
    assert reading.forward.segment.tolist() == [[0, 0, 1, 1, 1, 1]]
    assert reading.backward.segment.tolist() == [[0, 0, 0, 1, 2, 2]]


def test_the_last_map_of_each_branch_begins_small(build):
    model = build(("model=delta_net", "model.dim=64", "model.num_layers=2"), noisy=False)
    for block in model.blocks:
        assert block.mixer.input.weight.std().item() == pytest.approx(0.02, rel=0.1)
        for output in (block.mixer.output, block.feedforward.output):
            assert output.weight.std().item() == pytest.approx(0.02 / math.sqrt(4), rel=0.1)


def test_published_shapes_follow_from_the_keys(build):
    """Mamba-2 130M: 768 wide, 24 heads of 64, 128 for B and C."""
    words = (
        "model=mamba2",
        "model.dim=768",
        "model.num_layers=1",
        "model.mixer.num_heads=24",
        "model.mixer.state_dim=128",
    )
    mixer = build(words).blocks[0].mixer
    assert mixer.head_dim == 64
    assert mixer.input.weight.shape == (2 * 1536 + 2 * 128 + 24, 768)


@pytest.mark.parametrize("mixer", MIXERS)
def test_decoding_holds_the_same_tensors_after_any_number_of_tokens(build, mixer):
    model = build(("model=linear_recurrent", f"model/mixer={mixer}"), memory_dim=5)
    memory = Memory(torch.randn(2, 4, 5))
    short, long = (model(torch.randint(37, (2, time)), None, memory).state for time in (1, 40))
    shapes = [[part.shape for layer in state[0] for part in layer] for state in (short, long)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=mamba2", "model.num_layers=0"], r"model\.num_layers=0 leaves no layer"),
        (["model=mamba2", "model.mixer.num_heads=0"], r"model\.mixer\.num_heads=0 leaves no head"),
        (["model=mamba2", "model.mixer.expansion=0.0"], r"model\.mixer\.expansion=0\.0 gives no width"),
        (["model=mamba2", "model.mixer.state_dim=0"], r"model\.mixer\.state_dim=0 leaves no memory"),
        (["model=delta_net", "model.mixer.key_expansion=-1.0"], r"model\.mixer\.key_expansion=-1\.0 gives no width"),
        (["model=delta_net", "model.mixer.conv_width=0"], r"model\.mixer\.conv_width=0 leaves no tap"),
        (["model=delta_net", "model.mixer.chunk_size=0"], r"model\.mixer\.chunk_size=0 leaves no position"),
    ],
)
def test_impossible_values_are_refused_with_their_key(build, words, message):
    with pytest.raises(Mistake, match=message):
        build(words)


def test_a_decoder_that_reads_a_memory_needs_a_cross_attention(build):
    with pytest.raises(Mistake, match=r"model\.cross_attention=null"):
        build(("model=mamba2", "model.cross_attention=null"), memory_dim=5)


@pytest.mark.parametrize("mixer", MIXERS)
def test_one_token_by_the_recurrence_equals_a_chunk_of_one_also_where_a_document_starts(build, mixer):
    """A chunk's other rows are padding, which changes nothing."""
    model = build(("model=linear_recurrent", f"model/mixer={mixer}"))
    before = model(torch.randint(37, (2, 5)), torch.tensor([[1, 1, 2, 2, 2], [3, 3, 3, 3, 0]])).state
    ids, document = torch.randint(37, (2, 2)), torch.tensor([[2, 0], [4, 0]])
    alone, padded = (model(ids[:, :time], document[:, :time], None, before) for time in (1, 2))
    torch.testing.assert_close(alone.states, padded.states[:, :1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(alone.state, padded.state, atol=1e-5, rtol=1e-5)
