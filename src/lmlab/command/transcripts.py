"""What a trained recogniser hears in recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmlab import config as configuration
from lmlab.data.audio import SUFFIXES, read_audio
from lmlab.data.found import Fault
from lmlab.examples import Heard
from lmlab.types import Batch, Mistake


def transcribed(loaded: Any, options: Any) -> Iterator[str]:
    """The text of a recording; of the recordings of a folder, each with its name before it."""
    if options.text or options.second:
        raise Mistake(
            f"{loaded.run.path} reads recordings: lmlab predict RUN path=FILE.wav, or the path of a folder of them"
        )
    path = Path(options.path).expanduser()
    files = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise Mistake(f"path={path} has no recordings ({', '.join(SUFFIXES)}); set path to one, or to a folder of them")
    features, batching, decode = (configuration.build(loaded.config, key) for key in ("features", "batch", "decoding"))
    for file in files:
        batch = batching(seed=0).of_features([features_of_file(file, features, loaded.vocabulary)])
        text = transcripts(loaded.task, batch, decode, loaded.tokenizer.decode)[0]
        yield f"{file.name}\t{text}" if path.is_dir() else text


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
