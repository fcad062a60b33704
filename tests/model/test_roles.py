"""Which roles a model fills is found by building it; what it cannot fill it refuses in one sentence with a remedy."""

import pytest

ALL = {"decoder", "encoder", "conditional"}


@pytest.mark.parametrize("family", ["transformer", "recurrent", "rnn", "lstm", "gru"])
def test_these_families_fill_every_role_with_every_part(filled, family):
    anywhere = (choice for choice in filled if "model.input_feeding=true" not in choice)  # which needs an encoder
    found = {choice: filled[choice] for choice in anywhere if choice[0] == f"model={family}"}
    assert found
    short = {choice: roles for choice, roles in found.items() if roles != ALL}
    assert not short


def test_every_variant_fills_a_role(filled):
    assert not [choice for choice, roles in filled.items() if not roles]


def test_a_role_that_a_model_cannot_fill_is_refused_in_one_sentence_with_a_remedy(refusals):
    for (choice, role), sentence in refusals.items():
        reason, _, remedy = sentence.partition("; ")
        assert reason.startswith("model="), (choice, role, sentence)
        assert "decoder" in reason if role == "decoder" else "encoder" in reason or "memory" in reason, sentence
        assert "model" in remedy
        assert remedy.startswith(("choose ", "set ")), sentence
        assert "\n" not in sentence
        assert ". " not in sentence
