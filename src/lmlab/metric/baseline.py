"""What a language model has to beat: no knowledge, frequencies, a trigram (Kneser-Ney), and the compressor xz."""

from __future__ import annotations

import lzma
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer

from lmlab.metric.trigram import Trigram

MAX_TOKENS = 10_000_000
"""Of a longer training text the trigram counts the last ones: a baseline has to come in seconds."""

MAX_BYTES = 2**24
"""The same for xz, whose window is four times as long."""


@dataclass(frozen=True)
class Baseline:
    """One figure to compare with; `loss` is in nats per token, None where there are no tokens."""

    bits_per_byte: float
    loss: float | None


def baselines(
    *,
    train: Integer[np.ndarray, "time"],
    held_out: Integer[np.ndarray, "held"],
    vocab_size: int,
    eos: int,
    train_text: bytes,
    held_out_text: bytes,
) -> dict[str, Baseline]:
    """Each baseline fitted on the training split and measured on the held-out one."""
    losses = {
        "uniform": math.log(vocab_size),
        "unigram": _unigram(train, held_out, vocab_size),
        "trigram": Trigram(ids=train[-MAX_TOKENS:], vocab_size=vocab_size, eos=eos).loss(held_out, eos),
    }
    num_bytes = len(held_out_text)
    nats_to_bits = len(held_out) / num_bytes / math.log(2)
    found = {name: Baseline(bits_per_byte=loss * nats_to_bits, loss=loss) for name, loss in losses.items()}
    return found | {"xz": Baseline(bits_per_byte=_xz(train_text[-MAX_BYTES:], held_out_text) / num_bytes, loss=None)}


def _unigram(train: Integer[np.ndarray, "time"], held_out: Integer[np.ndarray, "held"], vocab_size: int) -> float:
    """Nats per token under (c(w) + 1) / (N + V)."""
    probability = (np.bincount(train, minlength=vocab_size) + 1) / (len(train) + vocab_size)
    return float(-np.log(probability[held_out]).mean())


def _xz(train: bytes, held_out: bytes) -> int:
    """Bits that the held-out text adds to the compressed training text."""
    return 8 * (_compressed(train + held_out) - _compressed(train))


def _compressed(content: bytes) -> int:
    return len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
