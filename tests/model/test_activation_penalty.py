import torch

from lmlab.model.activation_penalty import ActivationPenalty

STATES = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
DROPPED = 2 * STATES


def test_the_penalties_are_those_of_the_authors_code():
    found = ActivationPenalty(activation=2.0, temporal=0.5)(STATES, DROPPED, None)
    torch.testing.assert_close(found["activation"], 2.0 * DROPPED.pow(2).mean())
    torch.testing.assert_close(found["temporal"], 0.5 * (STATES[:, 1:] - STATES[:, :-1]).pow(2).mean())


def test_padding_and_steps_between_documents_do_not_count():
    document = torch.tensor([[1, 1, 2, 2, 2], [0, 7, 7, 0, 0]])
    found = ActivationPenalty(activation=1.0, temporal=1.0)(STATES, DROPPED, document)
    torch.testing.assert_close(found["activation"], DROPPED[document != 0].pow(2).mean())
    first, second = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 2, 3, 1])
    torch.testing.assert_close(found["temporal"], (STATES[first, second + 1] - STATES[first, second]).pow(2).mean())


def test_one_position_has_no_step():
    found = ActivationPenalty(activation=0.0, temporal=1.0)(STATES[:, :1], DROPPED[:, :1], None)
    assert {name: value.item() for name, value in found.items()} == {"temporal": 0.0}


def test_a_model_returns_them_in_training_alone(build):
    model = build(("model=lstm", "model.activation_penalty=2.0", "model.temporal_penalty=1.0"))
    inputs = torch.randint(37, (2, 7))
    assert model(inputs).extras.losses == {}
    output = model.train()(inputs)
    torch.testing.assert_close(output.extras.losses["activation"], 2.0 * output.states.pow(2).mean())
    assert set(output.extras.losses) == {"activation", "temporal"}
