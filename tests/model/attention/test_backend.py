"""Which kernel is chosen, and that all give the formula's numbers. What only a GPU can run is left to one."""

from itertools import pairwise

import pytest
import torch

from lmlab.model.attention import flex as of_flex
from lmlab.model.attention import varlen as of_varlen
from lmlab.model.attention.backend import Call, choose, kind, obstacles
from lmlab.model.attention.product import attend, plain
from lmlab.model.attention.scaled_dot import ScaledDot
from lmlab.model.mask import self_mask
from lmlab.types import Mask, Mistake

CALL = Call(
    wanted="auto", part="attention", score="scaled_dot", is_product=True, logit_cap=None, has_sinks=False, dropout=0.0,
    mask="causal", query=64, key=64, head_dim=32, device="cpu", dtype=torch.float32, has_gradient=True,
    with_weights=False, has_varlen=True,
)  # fmt: skip
CUDA = {"device": "cuda", "dtype": torch.bfloat16}
LONG = {"query": 2048, "key": 2048}

TABLE = [
    ({}, "sdpa"),
    ({"mask": "documents"}, "sdpa"),
    ({"mask": "learned bias"}, "sdpa"),
    ({"dropout": 0.1}, "sdpa"),
    ({"dtype": torch.bfloat16}, "plain"),
    ({"dtype": torch.bfloat16, "has_gradient": False}, "sdpa"),
    ({"dtype": torch.bfloat16, **LONG}, "sdpa"),
    ({"logit_cap": 5.0}, "plain"),
    ({"has_sinks": True, "has_gradient": False}, "plain"),
    ({"is_product": False}, "plain"),
    ({"with_weights": True}, "plain"),
    ({"with_weights": True, "wanted": "flash"}, "plain"),
    ({"device": "mps"}, "sdpa"),
    ({"device": "mps", "logit_cap": 5.0}, "plain"),
    ({"device": "meta"}, "sdpa"),
    ({"device": "meta", "wanted": "varlen"}, "sdpa"),
    ({"wanted": "plain"}, "plain"),
    ({"wanted": "math", "dropout": 0.1}, "math"),
    ({"wanted": "flash", "mask": "bias"}, "flash"),
    ({"wanted": "flex", "has_gradient": False, "logit_cap": 5.0}, "flex"),
    (CUDA, "sdpa"),
    (CUDA | {"mask": "documents"}, "sdpa"),
    (CUDA | LONG | {"mask": "documents"}, "varlen"),
    (CUDA | LONG | {"mask": "documents", "has_varlen": False}, "flex"),
    (CUDA | LONG | {"mask": "documents", "dtype": torch.float32}, "flex"),
    (CUDA | LONG | {"mask": "documents", "dropout": 0.1}, "sdpa"),
    (CUDA | LONG | {"mask": "documents", "head_dim": 12}, "sdpa"),
    (CUDA | LONG | {"mask": "tensor"}, "flex"),
    (CUDA | LONG | {"mask": "bias"}, "sdpa"),
    (CUDA | {"logit_cap": 5.0}, "flex"),
    (CUDA | {"has_sinks": True}, "flex"),
    (CUDA | LONG | {"mask": "documents", "has_sinks": True}, "flex"),
    (CUDA | {"logit_cap": 5.0, "mask": "learned bias"}, "plain"),
    (CUDA | {"logit_cap": 5.0, "dropout": 0.1}, "plain"),
    (CUDA | {"logit_cap": 5.0, "head_dim": 8}, "plain"),
    (CUDA | {"logit_cap": 5.0, "query": 1}, "plain"),
    (CUDA | {"wanted": "varlen", "query": 1, "mask": "none"}, "sdpa"),
    (CUDA | {"wanted": "flash"}, "flash"),
    (CUDA | {"wanted": "cudnn"}, "cudnn"),
    (CUDA | {"wanted": "efficient", "mask": "tensor"}, "efficient"),
    (CUDA | {"wanted": "flex", "part": "cross_attention", "query": 5, "mask": "tensor"}, "flex"),
]

REFUSED = [
    ({"wanted": "sdpa", "logit_cap": 50.0}, "model.attention.logit_cap=50 is not in torch's fused kernels"),
    ({"wanted": "math", "has_sinks": True}, "model.attention.sinks=true is not in torch's fused kernels"),
    (
        {"wanted": "sdpa", "is_product": False, "score": "additive"},
        "the score of model/attention=additive is no matrix",
    ),
    ({"wanted": "flash", "dropout": 0.1}, "model.attention.dropout=0.1 is not in flash on a CPU"),
    ({"wanted": "flash", "mask": "learned bias"}, "no gradient for what the position learns"),
    ({"wanted": "flash", "device": "mps"}, "flash is not there on mps"),
    ({"wanted": "flash", **CUDA, "mask": "documents"}, "takes no mask but causality"),
    ({"wanted": "flash", **CUDA, "dtype": torch.float32}, "needs trainer.precision=bf16-mixed"),
    ({"wanted": "cudnn", **CUDA, "head_dim": 512}, "heads up to 256 wide, and these are 512"),
    ({"wanted": "efficient"}, "efficient needs trainer.accelerator=cuda"),
    ({"wanted": "flex"}, "FlexAttention has no gradient on a CPU"),
    ({"wanted": "flex", "has_gradient": False, "has_sinks": True}, "model.attention.sinks=true needs"),
    ({"wanted": "flex", **CUDA, "dropout": 0.1}, "model.attention.dropout=0.1 is not in FlexAttention"),
    ({"wanted": "flex", "device": "mps"}, "FlexAttention is not there on mps"),
    ({"wanted": "varlen"}, "varlen needs trainer.accelerator=cuda"),
    ({"wanted": "varlen", **CUDA, "has_varlen": False}, "this torch has no varlen_attn"),
    ({"wanted": "varlen", **CUDA, "mask": "tensor"}, "a pattern or position says more"),
    ({"wanted": "varlen", **CUDA, "part": "cross_attention"}, "varlen is for self-attention"),
    ({"wanted": "varlen", **CUDA, "logit_cap": 5.0}, "model.attention.logit_cap=5 is not in varlen"),
]


@pytest.mark.parametrize(("changed", "backend"), TABLE)
def test_the_choice_follows_from_the_call(changed, backend):
    choice = choose(CALL._replace(**changed))
    assert choice.backend == backend
    assert choice.reason or backend != "plain", "what forced the plain formula is said"


@pytest.mark.parametrize(("changed", "reason"), REFUSED)
def test_an_impossible_choice_is_refused_by_what_forces_another(changed, reason):
    call = CALL._replace(**changed)
    with pytest.raises(Mistake) as error:
        choose(call)
    assert reason in str(error.value)
    assert str(error.value).startswith(f"model.{call.part}.backend={call.wanted} is not possible: ")
    assert str(error.value).endswith(f"; set model.{call.part}.backend=auto")


def mask_of(**keys):
    settled = {"causal": True, "query": 7, "key": 7, "device": torch.device("cpu"), "document": None, "pattern": None}
    return self_mask(**settled | {"bias": None} | keys)


DOCUMENT = torch.tensor([[0, 0, 1, 1, 2, 0, 2], [5, 5, 2, 2, 2, 9, 9]])
NEAR = (torch.arange(7)[:, None] - torch.arange(7)).abs()[None] < 3
MASKS = {
    "none": mask_of(causal=False),
    "causal": mask_of(),
    "documents": mask_of(document=DOCUMENT),
    "both sides": mask_of(document=DOCUMENT, causal=False),
    "pattern": mask_of(pattern=NEAR),
    "packed pattern": mask_of(document=DOCUMENT, pattern=NEAR),
    "bias": mask_of(bias=torch.randn(1, 4, 7, 7, generator=torch.Generator().manual_seed(3))),
    "packed bias": mask_of(document=DOCUMENT, bias=torch.randn(1, 4, 7, 7, generator=torch.Generator().manual_seed(3))),
}


def inputs_of(num_kv_heads=2):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, heads, 7, 8, generator=generator) for heads in (4, num_kv_heads, num_kv_heads)]


def by(backend, inputs, mask, *, logit_cap=None, sinks=None):
    keys = {"scale": 0.4, "dropout": 0.0, "logit_cap": logit_cap, "sinks": sinks}
    return attend(backend, *inputs, mask, **keys, with_weights=False)[0]


def test_masks_are_told_apart():
    kinds = {name: kind(mask) for name, mask in MASKS.items()}
    assert kinds == {
        "none": "none", "causal": "causal", "documents": "documents", "both sides": "documents", "pattern": "tensor",
        "packed pattern": "tensor", "bias": "bias", "packed bias": "bias",
    }  # fmt: skip
    assert kind(Mask(bias=torch.zeros(1, 1, 7, 7, requires_grad=True))) == "learned bias"
    assert kind(mask_of(query=2, document=DOCUMENT)) == "tensor"  # a step: its documents are not a square


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("backend", ["sdpa", "flash", "math", "plain"])
def test_torchs_kernels_and_products_give_the_formulas_numbers_and_gradients(backend, name):
    results = []
    for compute in (lambda *parts: by(backend, parts, MASKS[name]), by_formula(MASKS[name])):
        inputs = [part.requires_grad_() for part in inputs_of()]
        output = compute(*inputs)
        output.square().sum().backward()
        results.append((output, *(part.grad for part in inputs)))
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def by_formula(mask, **options):
    return lambda *parts: plain(*parts, mask, scale=0.4, dropout=0.0, **options)[0]


@pytest.fixture
def _compiled_anew():
    """Torch compiles one function for a few cases only, and then no more."""
    torch._dynamo.reset()


@pytest.mark.usefixtures("_compiled_anew")
@pytest.mark.parametrize(
    ("name", "num_kv_heads", "logit_cap", "has_sinks"),
    [
        ("none", 2, None, False),
        ("causal", 4, 0.8, True),
        ("documents", 2, None, True),
        ("packed pattern", 1, 0.8, False),
        ("bias", 2, None, False),
        ("packed bias", 4, 0.8, True),
    ],
)
def test_flex_attention_gives_the_formulas_numbers(name, num_kv_heads, logit_cap, has_sinks):
    options = {"logit_cap": logit_cap, "sinks": torch.randn(4) if has_sinks else None}
    inputs, mask = inputs_of(num_kv_heads), MASKS[name]
    torch.testing.assert_close(
        by("flex", inputs, mask, **options), by_formula(mask, **options)(*inputs), atol=1e-5, rtol=1e-5
    )


def loop(query, key, value, ends, ends_too, longest, longest_too, *, window_size):
    """What varlen_attn computes: [positions, heads, head_dim], one document behind the other."""
    assert torch.equal(ends, ends_too)
    assert longest == longest_too == ends.diff().max()
    assert ends.dtype == torch.int32
    pieces = []
    for start, end in pairwise(ends.tolist()):
        parts = [part[start:end].transpose(0, 1)[None] for part in (query, key, value)]
        mask = Mask(is_causal=True) if window_size == (-1, 0) else Mask()
        pieces.append(plain(*parts, mask, scale=8**-0.5, dropout=0.0)[0][0].transpose(0, 1))
    return torch.cat(pieces)


@pytest.mark.parametrize("name", ["none", "causal", "documents", "both sides"])
def test_documents_side_by_side_give_the_formulas_numbers(name, monkeypatch):
    monkeypatch.setattr(of_varlen, "kernel", loop)
    inputs = inputs_of()
    torch.testing.assert_close(
        by("varlen", inputs, MASKS[name]), by_formula(MASKS[name])(*inputs), atol=1e-5, rtol=1e-5
    )


def test_documents_are_laid_out_in_order():
    layout = of_varlen.layout_of(DOCUMENT)
    assert layout.order.tolist() == [0, 1, 5, 2, 3, 4, 6, 9, 10, 11, 7, 8, 12, 13]
    assert layout.ends.tolist() == [0, 3, 5, 7, 10, 12, 14]
    assert layout.order[layout.back].tolist() == list(range(14))
    assert layout.longest == 3


def test_layers_share_what_a_kernel_makes_of_a_mask(monkeypatch):
    monkeypatch.setattr(of_varlen, "kernel", loop)
    mask = mask_of(document=DOCUMENT)
    by("varlen", inputs_of(), mask)
    layout = mask.memo["varlen"]
    by("varlen", inputs_of(), mask)
    assert mask.memo["varlen"] is layout
    assert of_flex._blocks(mask, 7, 7, torch.device("cpu")) is of_flex._blocks(mask, 7, 7, torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("logit_cap", [None, 0.8])
@pytest.mark.parametrize("has_sinks", [False, True])
@pytest.mark.parametrize("backend", ["flex", "varlen", "flash", "efficient", "cudnn"])
def test_a_gpus_kernels_give_the_formulas_numbers_and_gradients(backend, has_sinks, logit_cap):
    torch._dynamo.reset()
    for mask in map(on_gpu, MASKS.values()):
        asked = {"logit_cap": logit_cap, "has_sinks": has_sinks, "has_varlen": of_varlen.HAS_VARLEN}
        if next(obstacles(backend, CALL._replace(**CUDA, **asked, mask=kind(mask), query=7, key=7)), None):
            continue
        results = []
        for dtype in (torch.bfloat16, torch.float32):
            generator = torch.Generator().manual_seed(1)
            parts = [torch.randn(2, 4, 7, 32, generator=generator).to("cuda", dtype).requires_grad_() for _ in range(3)]
            sinks = torch.ones(4, device="cuda", requires_grad=True) if has_sinks else None
            options = {"logit_cap": logit_cap, "sinks": sinks}
            exact = dtype == torch.float32
            output = by_formula(mask, **options)(*parts) if exact else by(backend, parts, mask, **options)
            output.square().sum().backward()
            leaves = parts if sinks is None else [*parts, sinks]
            results.append([output.float(), *(leaf.grad.float() for leaf in leaves)])
        for ours, expected in zip(*results, strict=True):
            torch.testing.assert_close(ours, expected, rtol=0.02, atol=0.1)


def on_gpu(mask):
    packed = None if mask.packed is None else type(mask.packed)(mask.packed.document.cuda(), mask.packed.causal)
    allowed, bias = (None if part is None else part.cuda() for part in (mask.allowed, mask.bias))
    return Mask(is_causal=mask.is_causal, allowed=allowed, bias=bias, packed=packed)


@pytest.mark.usefixtures("_compiled_anew")
def test_a_step_of_decoding_and_weights_go_by_another_kernel_than_the_one_asked_for():
    keys = {
        "dim": 8,
        "memory_dim": None,
        "num_heads": 2,
        "num_kv_heads": None,
        "head_dim": None,
        "bias": False,
        "dropout": 0.0,
    }
    options = {"qk_norm": False, "logit_cap": 2.0, "sinks": False, "gate": None, "backend": "flex"}
    part = ScaledDot(**keys, **options)
    states = torch.randn(1, 4, 8)
    with pytest.raises(Mistake, match="FlexAttention has no gradient on a CPU"):
        part(states, states, Mask(is_causal=True))
    with torch.no_grad():
        whole = part(states, states, Mask(is_causal=True))[0]
        _, state, weights = part(states[:, :3], states[:, :3], Mask(is_causal=True), with_weights=True)
        last = part(states[:, 3:], states[:, 3:], Mask(), state)[0]
    assert weights.shape == (1, 2, 3, 3)
    torch.testing.assert_close(last, whole[:, 3:])
