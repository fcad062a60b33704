"""Which kernel computes each attention of a training step: foreseen from shapes, so that it is said, and refused, before it."""

import logging
from collections import Counter
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend

from lmlab.command.experiment import Experiment, build_task
from lmlab.model.attention.backend import Call, choose
from lmlab.model.attention.multi_head import MultiHead
from lmlab.types import Conditional

log = logging.getLogger(__name__)


def announce(experiment: Experiment) -> None:
    """One line for each kind of attention and choice."""
    with torch.device("meta"):
        model = build_task(experiment).model
    for line in lines(calls(experiment, model)):
        log.info("%s", line)


def refuse(experiment: Experiment, model: nn.Module, *, length: int | None = None) -> None:
    """A backend that cannot compute this model on this device, without and with padding (model: on the meta device).

    Raises:
        Mistake: which choice forces another.
    """
    for with_documents in (False, True):
        for call in calls(experiment, model, with_documents=with_documents, length=length):
            choose(call)


def lines(of: list[Call]) -> list[str]:
    """`attention: plain in 4 layers, because ...`."""
    found: Counter[tuple[str, str, str]] = Counter()
    for call, number in Counter(of).items():
        backend, reason = choose(call)
        found[call.part, backend + (torchs_own(call) if backend == "sdpa" else ""), reason] += number
    return [
        f"{part}: {backend} in {number} layer{'s' if number > 1 else ''}" + (f", because {reason}" if reason else "")
        for (part, backend, reason), number in found.items()
    ]


def torchs_own(call: Call) -> str:
    """Which of its own kernels torch takes for `sdpa`, asked with tensors of the call's kind; nothing where it cannot say."""
    if call.device not in ("cpu", "cuda") or not hasattr(torch, "_fused_sdp_choice"):
        return ""

    def tensor(*shape: int, dtype: torch.dtype, has_gradient: bool) -> Tensor:
        return torch.empty(1, 1, *shape, dtype=dtype, device=call.device, requires_grad=has_gradient)

    query, key = (
        tensor(length, call.head_dim, dtype=call.dtype, has_gradient=call.has_gradient)
        for length in (call.query, call.key)
    )
    added = None
    if call.mask not in ("none", "causal"):
        dtype = call.dtype if "bias" in call.mask else torch.bool
        added = tensor(call.query, call.key, dtype=dtype, has_gradient=call.mask == "learned bias")
    is_causal = call.mask == "causal"
    number = torch._fused_sdp_choice(query, key, key, attn_mask=added, dropout_p=call.dropout, is_causal=is_causal)
    return f" ({SDPBackend(number).name.removesuffix('_ATTENTION').lower()})"


def calls(
    experiment: Experiment, model: nn.Module, *, with_documents: bool = False, length: int | None = None
) -> list[Call]:
    """What each attention is asked in a pass of training, by a pass on shapes alone.

    Args:
        length: positions; None: `batch.seq_len`.
    """
    trainer, found = experiment.config.trainer, []

    def note(part: nn.Module, inputs: tuple[Any, ...]) -> None:
        assert isinstance(part, MultiHead)
        query, memory, mask, *_ = inputs
        found.append(
            part.call(
                mask,
                query=query.shape[1],
                key=memory.shape[1],
                device=trainer.accelerator,
                dtype=computed_in(str(trainer.precision)),
                has_gradient=True,
                dropout=part.dropout,
                with_weights=False,
            )
        )

    hooks = [part.register_forward_pre_hook(note) for part in model.modules() if isinstance(part, MultiHead)]
    if hooks:
        _pass(model, length or experiment.batching.seq_len, with_documents=with_documents)
    for hook in hooks:
        hook.remove()
    return found


def _pass(model: nn.Module, length: int, *, with_documents: bool) -> None:
    ids = torch.zeros(1, length, dtype=torch.long, device="meta")
    document: Tensor | None = torch.ones_like(ids) if with_documents else None
    with torch.no_grad():
        if not isinstance(model, Conditional):
            model(ids, document)
            return
        with suppress(NotImplementedError):  # a recurrence on one side reads documents by value, and shapes have none
            model.of_pair(ids, ids, document, document)


def computed_in(precision: str) -> torch.dtype:
    """The type of queries, keys and values under `trainer.precision`."""
    types = {"bf16": torch.bfloat16, "16": torch.float16, "64": torch.float64}
    return types.get(precision.partition("-")[0], torch.float32)
