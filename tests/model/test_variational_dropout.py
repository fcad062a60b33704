import torch

from lmlab.model.variational_dropout import VariationalDropout

STATES = torch.randn(3, 7, 40, generator=torch.Generator().manual_seed(0))


def test_one_mask_holds_for_all_times_and_not_for_all_rows():
    torch.manual_seed(0)
    kept = VariationalDropout(0.4).train()(STATES) != 0
    assert (kept == kept[:, :1]).all()
    assert (kept[0] != kept[1]).any()
    assert 0.4 < kept.float().mean() < 0.8


def test_what_is_kept_is_scaled():
    torch.manual_seed(0)
    dropped = VariationalDropout(0.4).train()(STATES)
    torch.testing.assert_close(dropped, torch.where(dropped != 0, STATES / 0.6, 0.0))


def test_evaluation_keeps_every_bit():
    assert VariationalDropout(0.4).eval()(STATES) is STATES


def test_a_model_draws_the_same_masks_from_the_same_seed_and_others_from_the_next_draw(build):
    model = build(("model=lstm", "model.variational_dropout=true", "model.dropout=0.5")).train()
    inputs = torch.randint(37, (2, 7))

    def states(seed):
        torch.manual_seed(seed)
        return model(inputs).states

    torch.testing.assert_close(states(1), states(1), atol=0, rtol=0)
    assert (states(1) != states(2)).any()
    kept = states(1) != 0
    assert (kept == kept[:, :1]).all()
    assert 0 < kept.float().mean() < 1


def test_input_and_output_have_rates_of_their_own(build):
    inputs = torch.randint(37, (2, 7))
    only_output = build(("model=lstm", "model.output_dropout=1.0")).train()(inputs).states
    assert only_output.abs().max() == 0
    kept = build(("model=lstm", "model.dropout=1.0", "model.output_dropout=0.0")).train()(inputs).states
    assert kept.abs().min() > 0
    first = build(("model=lstm", "model.input_dropout=1.0")).train()
    torch.testing.assert_close(first(inputs).states, first(inputs.flip(1)).states)  # nothing of the input is left
