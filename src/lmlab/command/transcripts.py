"""What a trained recogniser hears in recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lmlab.data.audio import read_audio
from lmlab.data.found import Fault
from lmlab.examples import Heard
from lmlab.types import Batch, Mistake


@torch.no_grad()
def transcripts(task: Any, batch: Batch, decode: Any, spell: Callable[[list[int]], str]) -> list[str]:
    """The text of each recording of a batch.

    Args:
        task: model and head under these names.
        decode: log probabilities and lengths -> tokens.
        spell: tokens -> text.
    """
    assert batch.document is not None, "recordings are padded"
    inputs, document = batch.inputs.to(task.device), batch.document.to(task.device)
    was_training = task.training
    task.eval()
    log_probs = task.head(task.model(inputs, document).states).float().log_softmax(dim=-1)
    lengths = (task.model.heard(document) > 0).sum(dim=1)
    task.train(was_training)
    return [spell(tokens) for tokens in decode(log_probs, lengths)]


def features_of_file(path: Path, features: Any, heard: Heard) -> Any:
    """A recording as the model reads it, float32 [time, feature].

    Raises:
        Mistake: for a file that cannot be read.
    """
    import numpy as np

    if not path.is_file():
        raise Mistake(f"path={path} does not exist; set path to a recording, or to a folder of them")
    try:
        found = features(read_audio(path, features.sample_rate))
    except (Fault, OSError) as error:
        what = error.what if isinstance(error, Fault) else f"cannot be read ({error})"
        raise Mistake(f"path={path} {what}; set path to a recording such as a .wav file") from None
    # As Utterances keeps them, so that a recording is heard as in evaluation.
    kept = found.astype(np.float16).astype(np.float32)
    return (kept - np.array(heard.mean, np.float32)) * np.array(heard.scale, np.float32)
