"""Which kernel computes an attention: the one that was asked for, or the first that can do what it takes.

`sdpa` is torch's fused attention, which chooses among `flash` (Dao et al. 2022), `efficient` (Rabe and Staats 2021),
`cudnn` and `math` by itself; `flex` compiles a kernel for the scores and masks at hand (Dong et al. 2024), `varlen` runs
flash attention over documents of different lengths side by side, `plain` writes products and softmax out.

Unverified until a GPU has shown it: every choice on `cuda`. The length from which masks as tensors go to `flex` and `varlen`
there is a guess; the measurement that would settle it is a step's time with each backend at 256 to 4096 places.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch

from lmlab.types import Mask, Mistake

Backend = Literal["auto", "sdpa", "flash", "efficient", "cudnn", "math", "flex", "varlen", "plain"]

HALF = (torch.bfloat16, torch.float16)

LONG = 1024
"""Keys from which a mask as a tensor is worth a kernel that leaves out what it forbids."""

SHORT = 512
"""Keys up to which products were measured to be faster on a CPU; their memory grows with the square of the length."""


class Call(NamedTuple):
    """All that the choice depends on."""

    wanted: Backend
    part: str
    """`attention` or `cross_attention`, as its keys are called."""
    score: str
    """Its name in `conf/model/attention`."""
    is_product: bool
    """Whether scores are a matrix product of queries and keys."""
    logit_cap: float | None
    has_sinks: bool
    dropout: float
    mask: str
    """As `kind` says."""
    query: int
    key: int
    head_dim: int
    device: str
    dtype: torch.dtype
    has_gradient: bool
    with_weights: bool
    has_varlen: bool
    """Whether this torch has it."""

    @property
    def is_step(self) -> bool:
        """Whether it reads keys of earlier calls."""
        return self.part == "attention" and self.query != self.key


class Choice(NamedTuple):
    """A backend, and what forced it where another would have been preferred."""

    backend: str
    reason: str = ""


def kind(mask: Mask) -> str:
    """What kernels tell masks apart by."""
    if mask.relation is not None:
        return "relation"
    if mask.bias is not None:
        return "learned bias" if mask.bias.requires_grad else "bias"
    if mask.is_causal:
        return "causal"
    if mask.allowed is None:
        return "none"
    return "documents" if mask.packed is not None else "tensor"


def choose(call: Call) -> Choice:
    """The backend of a call; a function of nothing else.

    Raises:
        Mistake: where the one asked for cannot do it. A step of decoding, and a run on shapes alone, take what can instead.
    """
    if call.with_weights:
        return Choice("plain", "the weights are asked for")
    if call.wanted == "auto" or call.device == "meta":
        return _automatic(call)
    obstacle = next(obstacles(call.wanted, call), None)
    if obstacle is None:
        return Choice(call.wanted, f"model.{call.part}.backend={call.wanted}")
    if call.is_step:
        return _automatic(call)
    raise Mistake(
        f"model.{call.part}.backend={call.wanted} is not possible: {obstacle}; set model.{call.part}.backend=auto"
    )


def _automatic(call: Call) -> Choice:
    found = []
    for backend in _preferred(call):
        obstacle = next(obstacles(backend, call), None)
        if obstacle is None and has_slow_kernel(call.device, call.dtype, has_gradient=call.has_gradient, key=call.key):
            return Choice("plain", "on a CPU its gradient in bfloat16 is the faster one")
        if obstacle is None:
            return Choice(backend)
        found.append(obstacle)
    return Choice("plain", " and ".join(dict.fromkeys(found)))


def _preferred(call: Call) -> tuple[str, ...]:
    """The best first; products where all fail."""
    if call.device != "cuda":
        return ("sdpa",)
    if call.is_step or call.key < LONG or call.mask not in ("documents", "tensor"):
        return ("sdpa", "flex")
    return ("varlen", "flex", "sdpa") if call.mask == "documents" else ("flex", "sdpa")


def has_slow_kernel(device: str, dtype: torch.dtype, *, has_gradient: bool, key: int) -> bool:
    """A CPU's fused gradient takes two to four times as long in bfloat16 as products do; its forward does not."""
    return device == "cpu" and dtype == torch.bfloat16 and has_gradient and key <= SHORT


def obstacles(backend: str, call: Call) -> Iterator[str]:
    """Why a backend cannot compute a call, each as a clause that names the key or the fact."""
    if backend == "plain":
        return
    if not call.is_product:
        yield f"the score of model/{call.part}={call.score} is no matrix product"
    if call.mask == "relation":
        yield "the position adds to the scores by way of the queries"
    if backend == "flex":
        yield from _of_flex(call)
        return
    kernels = "varlen" if backend == "varlen" else "torch's fused kernels"
    if call.logit_cap is not None:
        yield f"model.{call.part}.logit_cap={call.logit_cap:g} is not in {kernels}"
    if call.has_sinks:
        yield f"model.{call.part}.sinks=true is not in {kernels}"
    yield from _of_varlen(call) if backend == "varlen" else _of_fused(backend, call)


def _of_flex(call: Call) -> Iterator[str]:
    if call.device not in ("cuda", "cpu"):
        yield f"FlexAttention is not there on {call.device}"
    if call.device == "cpu" and call.has_gradient:
        yield "FlexAttention has no gradient on a CPU"
    if call.device == "cpu" and call.has_sinks:
        yield f"FlexAttention on a CPU does not give what model.{call.part}.sinks=true needs"
    if call.dropout:
        yield f"model.{call.part}.dropout={call.dropout:g} is not in FlexAttention"
    if call.mask == "learned bias" and call.has_gradient:
        yield "FlexAttention is not used where the position learns what it adds to the scores"
    if call.device == "cuda" and call.head_dim < 16:
        yield f"FlexAttention takes heads from 16 wide, and these are {call.head_dim}"
    if call.is_step:
        yield "FlexAttention would be compiled for each step of decoding"


def _of_varlen(call: Call) -> Iterator[str]:
    if not call.has_varlen:
        yield "this torch has no varlen_attn with a window_size"
    if call.part != "attention" or call.is_step:
        yield "varlen is for self-attention over whole sequences"
    if call.device != "cuda":
        yield "varlen needs trainer.accelerator=cuda"
    if call.dtype not in HALF:
        yield "varlen needs trainer.precision=bf16-mixed or 16-mixed"
    if call.dropout:
        yield f"model.{call.part}.dropout={call.dropout:g} is not in varlen"
    if call.mask not in ("none", "causal", "documents"):
        yield "varlen takes causality and documents, and here a pattern or position says more"
    if call.head_dim % 8 or call.head_dim > 256:
        yield f"varlen takes heads of a multiple of 8 up to 256, and these are {call.head_dim} wide"


def _of_fused(backend: str, call: Call) -> Iterator[str]:
    if backend in ("efficient", "cudnn") and call.device != "cuda":
        yield f"{backend} needs trainer.accelerator=cuda"
    if backend == "flash" and call.device not in ("cuda", "cpu"):
        yield f"flash is not there on {call.device}"
    if backend in ("flash", "cudnn") and call.device == "cuda":
        if call.dtype not in HALF:
            yield f"{backend} needs trainer.precision=bf16-mixed or 16-mixed"
        if call.head_dim > 256:
            yield f"{backend} takes heads up to 256 wide, and these are {call.head_dim}"
        if call.mask not in ("none", "causal"):
            yield f"{backend} takes no mask but causality, and here documents, a pattern or a position make one"
    if backend == "flash" and call.device == "cpu":
        if call.dropout:
            yield f"model.{call.part}.dropout={call.dropout:g} is not in flash on a CPU"
        if call.mask == "learned bias" and call.has_gradient:
            yield "flash on a CPU has no gradient for what the position learns to add to the scores"
