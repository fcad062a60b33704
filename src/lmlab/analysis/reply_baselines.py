"""What a model that replies is held against: replies that were looked up, and frequencies of tokens."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Integer

from lmlab.analysis.written_baselines import nearest
from lmlab.examples import SourceTarget


def reply_baselines(train: Sequence[SourceTarget], held_out: Sequence[SourceTarget]) -> dict[str, list[str]]:
    """Method -> its reply to what was said last, the source of each pair.

    The most frequent reply; the reply to the turn that is most alike, by TF-IDF (see written_baselines).
    """
    commonest = Counter(one.targets[0] for one in train).most_common(1)[0][0]
    found = {"most frequent reply": [commonest] * len(held_out)}
    looked_up = nearest(train, [one.source for one in held_out])
    return found if looked_up is None else {**found, "reply to the nearest turn": looked_up}


def unigram(
    train: Integer[np.ndarray, "train"], held_out: Integer[np.ndarray, "held"], vocab_size: int
) -> dict[str, float]:
    """Loss in nats per token, and perplexity, of tokens by their frequency among those of training, each counted once more."""
    counts = np.bincount(train, minlength=vocab_size) + 1
    loss = float(-np.log(counts / counts.sum())[held_out].mean())
    return {"loss": loss, "perplexity": math.exp(loss)}
