"""Each scaling against transformers' function of the same name."""

import pytest
import torch

from lmlab.model.position.rotary import Rotary
from lmlab.model.position.scaling.linear import Linear
from lmlab.model.position.scaling.llama3 import Llama3
from lmlab.model.position.scaling.none import NoScaling
from lmlab.model.position.scaling.ntk import Ntk
from lmlab.model.position.scaling.yarn import Yarn
from lmlab.types import Mistake

YARN = {"factor": 4.0, "original_length": 200, "beta_fast": 32.0, "beta_slow": 1.0, "attention_factor": None}
LLAMA3 = {"factor": 8.0, "original_length": 200, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
CASES = [
    (Linear(factor=3.0), {"rope_type": "linear", "factor": 3.0}, None),
    (Ntk(factor=2.0, original_length=200, length=700), {"rope_type": "dynamic", "factor": 2.0}, 700),
    (Yarn(**YARN), {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 200}, None),
    (
        Yarn(**YARN | {"beta_fast": 9.0, "beta_slow": 0.5, "attention_factor": 1.3}),
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 200, "beta_fast": 9.0, "beta_slow": 0.5,
         "attention_factor": 1.3},
        None,
    ),
    (
        Llama3(**LLAMA3),
        {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 200, "low_freq_factor": 1.0,
         "high_freq_factor": 4.0},
        None,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("scaling", "parameters", "length"), CASES)
@pytest.mark.parametrize(("dim", "base"), [(16, 10000.0), (64, 500000.0), (6, 100.0)])
def test_frequencies_are_those_of_hugging_face(scaling, parameters, length, dim, base):
    transformers = pytest.importorskip("transformers")
    functions = pytest.importorskip("transformers.modeling_rope_utils").ROPE_INIT_FUNCTIONS
    config = transformers.LlamaConfig(
        hidden_size=2 * dim, num_attention_heads=2, max_position_embeddings=200 if length else 800,
        rope_parameters={"rope_theta": base, **parameters},
    )  # fmt: skip
    expected, factor = functions[parameters["rope_type"]](config, torch.device("cpu"), seq_len=length)
    torch.testing.assert_close(scaling.frequencies(dim, base, torch.device("cpu")), expected, atol=0, rtol=1e-5)
    assert scaling.attention_factor == pytest.approx(factor)


def test_the_attention_factor_lengthens_queries_and_keys():
    heads, places = torch.randn(1, 3, 2, 8), torch.arange(3)[None]
    rotary = [
        Rotary(dim=8, head_dim=8, num_heads=1, causal=True, base=100.0, scaling=scaling)
        for scaling in (NoScaling(), Yarn(**YARN | {"attention_factor": 1.5}))
    ]
    plain, scaled = (one.rotation(places)(heads).norm(dim=-1) for one in rotary)
    torch.testing.assert_close(plain, heads.norm(dim=-1))
    torch.testing.assert_close(scaled, 1.5 * plain)


@pytest.mark.parametrize(("kind", "keys", "said"), [
    (Linear, {"factor": 0.5}, r"factor=0\.5 would shorten"),
    (Ntk, {"factor": 1.0, "original_length": 9, "length": 9}, r"length=9 is not above original_length=9"),
    (Ntk, {"factor": 1.0, "original_length": 0, "length": 9}, r"original_length=0 is no length"),
    (Yarn, YARN | {"beta_slow": 32.0}, r"beta_fast=32\.0 and beta_slow=32\.0 leave no ramp"),
    (Llama3, LLAMA3 | {"low_freq_factor": 4.0}, r"high_freq_factor=4\.0 is not above low_freq_factor=4\.0"),
])  # fmt: skip
def test_numbers_that_stretch_nothing_are_refused(kind, keys, said):
    with pytest.raises(Mistake, match=said):
        kind(**keys)
