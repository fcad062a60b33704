"""What lmlab list says of models and their parts: paper, roles and parameters, found by building them."""

import subprocess
import sys

import pytest

from lmlab import cli, tree
from lmlab.command import options
from lmlab.types import Mistake


def test_a_paper_is_the_last_bracket_with_a_year(tmp_path):
    path = tmp_path / "part.yaml"
    path.write_text("# softmax(Q K^T) (Smith 1999), plain (Luong et al. 2015, eq. 8: dot); fused.\n_target_: x\n")
    assert tree.paper(path) == "Luong et al. 2015, eq. 8: dot"
    assert tree.without_paper(path) == "softmax(Q K^T) (Smith 1999), plain; fused."
    path.write_text("# Nothing (of any kind).\n")
    assert (tree.paper(path), tree.without_paper(path)) == ("", "Nothing (of any kind).")


def test_roles_and_parameters_are_those_of_the_part_at_the_default_width():
    found, counted = options.facts("model/attention")
    assert counted == "parameters: of one such part of model=transformer, model.dim=128"
    assert found["scaled_dot"].parameters == 4 * 128 * 128
    assert found["general"].parameters == 4 * 128 * 128 + 4 * 32 * 32
    assert found["scaled_dot"].roles == ("decoder", "encoder", "conditional decoder", "cross-attention")
    assert options.host_of("model/attention") == ("transformer", ["attention", "cross_attention"])
    assert options.host_of("model/cell") == ("recurrent", ["cell"])


def test_a_role_that_is_refused_is_not_named(monkeypatch):
    build = options.configuration.build

    def encoder_alone(page, key):
        def make(*, causal, **rest):
            if causal:
                raise Mistake("it reads both sides")
            return build(page, key)(causal=causal, **rest)

        return make

    monkeypatch.setattr(options.configuration, "build", encoder_alone)
    assert options.facts("model/norm")[0]["rms_norm"] == options.Facts(("encoder",), 128)
    monkeypatch.setattr(options, "ROLES", {"decoder": {"causal": True}})
    monkeypatch.setattr(options, "built", lambda page, roles=(): {})
    assert options.facts("model/norm")[0]["rms_norm"] == options.Facts((), None)


def test_models_are_listed_with_paper_roles_and_parameters(capsys):
    assert cli.run(["list", "model"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["option", "parameters", "roles", "paper", "what", "it", "is"]
    (row,) = [line for line in lines if line.startswith("transformer ")]
    assert "1,049,728  decoder, encoder, conditional decoder" in row
    assert "Vaswani et al. 2017" in row
    assert "tokenizer.vocab_size=2048" in lines[-1]


def test_a_group_without_models_needs_no_torch():
    code = "import sys; from lmlab import cli; cli.run(['list', 'data']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
    with pytest.raises(Mistake, match="no model has a place"):
        options.host_of("model/nothing")
