"""The laws that every model and every part is held to, found by listing conf/model."""

import pytest
import torch
from torch import Tensor, nn

from lmlab.types import Memory, State

VOCAB, DIM = 37, 24
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
PACKED = torch.tensor([[0, 0, 1, 1, 1, 2, 2, 3, 0, 3, 0], [5, 5, 5, 5, 2, 2, 2, 2, 2, 9, 9]])
MEMORY_DIM = 7


def ids(batch: int, time: int, seed: int = 1) -> Tensor:
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(seed))


def noise(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def in_chunks(model: nn.Module, sizes: list[int], inputs: Tensor, document: Tensor | None, memory: Memory | None):
    """The states of calls on consecutive pieces, the state handed on."""
    state: State = None
    states = []
    pieces = inputs.split(sizes, dim=1)
    documents = [None] * len(pieces) if document is None else document.split(sizes, dim=1)
    for piece, numbers in zip(pieces, documents):
        output = model(piece, numbers, memory, state)
        state = output.state
        states.append(output.states)
    return torch.cat(states, dim=1)


def memory_of(batch: int, time: int, document: Tensor | None = None) -> Memory:
    return Memory(noise(batch, time, MEMORY_DIM), document)


@pytest.mark.parametrize("sizes", [[1] * 11, [4, 1, 3, 1, 2]], ids=["one", "uneven"])
@pytest.mark.parametrize("document", [None, PACKED], ids=["whole", "packed"])
def test_pieces_with_state_equal_one_pass(build, decoder, sizes, document):
    model = build(decoder)
    inputs = ids(2, 11)
    whole = model(inputs, document).states
    pieces = in_chunks(model, sizes, inputs, document, None)
    real = slice(None) if document is None else document != 0
    torch.testing.assert_close(pieces[real], whole[real], **CLOSE)


def test_pieces_with_state_and_memory_equal_one_pass(build, reader):
    model = build(reader, memory_dim=MEMORY_DIM)
    memory = memory_of(2, 5, torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]]))
    inputs = ids(2, 6)
    torch.testing.assert_close(
        in_chunks(model, [1] * 6, inputs, None, memory), model(inputs, None, memory).states, **CLOSE
    )


def test_a_call_without_documents_continues_document_1(build, decoder):
    model = build(decoder)
    inputs = ids(2, 6)
    document = torch.tensor([[0, 0, 1], [1, 1, 1]])
    continued = torch.cat((document, torch.ones(2, 3, dtype=torch.long)), dim=1)
    prompt = model(inputs[:, :3], document)
    rest = model(inputs[:, 3:], None, None, prompt.state).states
    torch.testing.assert_close(rest, model(inputs, continued).states[:, 3:], **CLOSE)
    late = model(inputs[:, 3:], document[:1].clone().fill_(1).expand(2, 3), None, model(inputs[:, :3]).state).states
    torch.testing.assert_close(late, model(inputs).states[:, 3:], **CLOSE)


def test_state_is_nested_tuples_with_the_batch_first(build, decoder):
    model = build(decoder)
    inputs, order = ids(3, 5), torch.tensor([2, 0, 2])

    def choose(state: State) -> State:
        return state[order] if isinstance(state, Tensor) else tuple(choose(part) for part in state)

    state = choose(model(inputs[:, :4]).state)
    chosen = model(inputs[order][:, 4:], state=state).states
    torch.testing.assert_close(chosen, model(inputs[order]).states[:, 4:], **CLOSE)


def test_state_grows_where_the_model_says_so(build, decoder):
    model = build(decoder)

    def numel(state: State) -> int:
        return state.numel() if isinstance(state, Tensor) else sum(numel(part) for part in state)

    short, long = (numel(model(ids(2, time)).state) for time in (3, 9))
    assert (long > short) == model.state_grows


@pytest.mark.parametrize("time", [0, 3, 8])
def test_changing_a_token_changes_no_causal_state_before_it(build, decoder, time):
    model = build(decoder)
    inputs = ids(2, 9)
    changed = inputs.clone()
    changed[:, time] = (changed[:, time] + 1) % VOCAB
    before, after = model(inputs).states, model(changed).states
    torch.testing.assert_close(after[:, :time], before[:, :time], atol=0, rtol=0)
    assert (after[:, time] - before[:, time]).abs().max() > 1e-3


def test_an_encoder_sees_both_sides(build, encoder):
    model = build(encoder, causal=False)
    inputs = ids(2, 9)
    changed = inputs.clone()
    changed[:, 4] = (changed[:, 4] + 1) % VOCAB
    difference = (model(inputs).states - model(changed).states).abs().amax(-1)
    assert (difference[:, [3, 5]] > 1e-6).all()


def test_padding_changes_nothing(build, choice, alone):
    model = build(choice, **alone)
    inputs = ids(2, 6)
    expected = model(inputs).states
    padded = ids(2, 11, seed=5)
    document = torch.zeros(2, 11, dtype=torch.long)
    for row, start in enumerate((0, 3)):  # padding on the right of one row, on both sides of the other
        padded[row, start : start + 6] = inputs[row]
        document[row, start : start + 6] = 1
    states = model(padded, document).states
    torch.testing.assert_close(states[0, :6], expected[0], **CLOSE)
    torch.testing.assert_close(states[1, 3:9], expected[1], **CLOSE)


def test_packed_documents_equal_separate_ones(build, choice, alone):
    model = build(choice, **alone)
    inputs = ids(2, 11)
    states = model(inputs, PACKED).states
    for row in range(2):
        for number in PACKED[row].unique().tolist():
            if number:
                own = PACKED[row] == number
                torch.testing.assert_close(states[row, own], model(inputs[row, own][None]).states[0], **CLOSE)


def test_packed_documents_read_the_memory_of_their_number(build, reader):
    model = build(reader, memory_dim=MEMORY_DIM)
    inputs, document = ids(1, 7), torch.tensor([[2, 2, 2, 1, 1, 1, 0]])
    memory = memory_of(1, 8, torch.tensor([[1, 1, 0, 2, 2, 2, 2, 0]]))
    states = model(inputs, document, memory).states
    for number in (1, 2):
        own = Memory(memory.states[memory.document == number][None])
        alone = model(inputs[document == number][None], None, own).states
        torch.testing.assert_close(states[document == number][None], alone, **CLOSE)


def test_padded_memory_is_not_seen(build, reader):
    model = build(reader, memory_dim=MEMORY_DIM)
    inputs = ids(2, 6)
    document = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    memory = memory_of(2, 5, document)
    changed = Memory(torch.where(document[..., None] == 0, 9.0, memory.states), document)
    torch.testing.assert_close(model(inputs, None, changed).states, model(inputs, None, memory).states, **CLOSE)
    changed = Memory(torch.where(document[..., None] == 1, -memory.states, memory.states), document)
    assert (model(inputs, None, changed).states - model(inputs, None, memory).states).abs().max() > 1e-3


def test_every_parameter_gets_a_gradient(build, choice, role):
    model = build(choice, **role).train()
    memory = None if role["memory_dim"] is None else memory_of(2, 5)
    output = model(ids(2, 9), None, memory)
    (output.states * noise(*output.states.shape)).sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


def test_features_are_taken_in_place_of_ids(build, choice, first):
    model = build(choice, **first)
    inputs = ids(2, 9)
    embedded = model.embedding(inputs)
    torch.testing.assert_close(model(embedded).states, model(inputs).states)
    torch.testing.assert_close(model(embedded, PACKED[:, :9]).states, model(inputs, PACKED[:, :9]).states)


def test_weights_sum_to_one_and_give_the_same_states(build, reader):
    model = build(reader, memory_dim=MEMORY_DIM)
    inputs, document = ids(2, 11), PACKED
    memory = memory_of(2, 6, torch.tensor([[1, 2, 2, 3, 0, 3], [5, 2, 9, 0, 0, 0]]))
    output = model(inputs, document, memory, with_attention=True)
    plain = model(inputs, document, memory)
    torch.testing.assert_close(output.states, plain.states, **CLOSE)
    assert output.extras.cross_attention
    assert not plain.extras.attention
    for weights in (*output.extras.attention, *output.extras.cross_attention):
        sums = weights.sum(-1).transpose(1, 2)[document != 0]
        assert (sums < 1 + 1e-5).all()
        if not any(key.endswith("=local") for key in reader):  # whose Gaussian stands behind the softmax
            torch.testing.assert_close(sums, torch.ones_like(sums))
        keys = document if weights.shape[-1] == 11 else memory.document
        foreign = (document[:, None, :, None] != keys[:, None, None, :]) & (document != 0)[:, None, :, None]
        assert weights.masked_select(foreign).abs().max() == 0


@pytest.mark.parametrize("document", [None, PACKED], ids=["whole", "packed"])
def test_bf16_autocast_stays_near_fp32(build, choice, first, document):
    model = build(choice, **first).train()
    inputs = ids(2, 11)
    sizes = [6, 5] if first["causal"] else [11]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = in_chunks(model, sizes, inputs, document, None).float()
        mixed.sum().backward()
    exact = model(inputs, document).states
    real = slice(None) if document is None else document != 0
    assert (mixed - exact)[real].pow(2).mean().sqrt() < 0.1 * exact[real].pow(2).mean().sqrt()


def test_a_model_in_bf16_gives_bf16(build, choice, most):
    model = build(choice, **most).bfloat16()
    memory = None if most["memory_dim"] is None else Memory(noise(2, 6, MEMORY_DIM).bfloat16())
    for document in (None, PACKED):
        for with_attention in (False, True):
            output = model(ids(2, 11), document, memory, with_attention=with_attention)
            assert output.states.dtype == torch.bfloat16
            assert output.states.isfinite().all()


def test_two_layers_share_no_parameter(build, choice, most):
    model = build(choice, **most)
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    assert len(names) == len(list(model.parameters()))


def test_features_of_another_width_are_refused(build, choice, first):
    with pytest.raises(ValueError, match=r"features are 5 wide, but model.dim=24"):
        build(choice, **first)(noise(2, 9, 5))
