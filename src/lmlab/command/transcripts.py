"""What a trained recogniser hears in recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from lmlab import config as configuration
from lmlab.data.audio import SUFFIXES, read_audio
from lmlab.data.found import Fault
from lmlab.examples import Heard
from lmlab.recognition import num_states, symbol_log_probs
from lmlab.task.speech_recognition import Transcribe
from lmlab.types import Batch, Memory, Mistake


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
    transcribe = transcriber_of(loaded.config, loaded.tokenizer.eos)
    for file in files:
        text = loaded.tokenizer.decode(transcripts(loaded.task, batch_of_file(loaded, file), transcribe)[0])
        yield f"{file.name}\t{text}" if path.is_dir() else text


def batch_of_file(loaded: Any, file: Path) -> Batch:
    """A recording as the run's model reads it."""
    features, batching = (configuration.build(loaded.config, key) for key in ("features", "batch"))
    found: Batch = batching(seed=0).of_features([features_of_file(file, features, loaded.vocabulary)])
    return found


def transcriber_of(config: DictConfig, eos: int) -> Transcribe:
    """What `decoding` makes of what was heard."""
    decode = configuration.build(config, "decoding")
    if "decoder" in decode.reads:
        return lambda task, memory: decode(task.model, task.head, memory, eos=eos)
    return lambda task, memory: decode(symbol_log_probs(task.head, memory), num_states(memory))


@torch.no_grad()
def transcripts(task: Any, batch: Batch, transcribe: Transcribe) -> list[list[int]]:
    """The tokens of each recording of a batch.

    Args:
        task: model and head under these names.
    """
    was_training = task.training
    task.eval()
    found = transcribe(task, listened(task, batch))
    task.train(was_training)
    return found


def listened(task: Any, batch: Batch) -> Memory:
    """What the encoder makes of recordings."""
    assert batch.document is not None, "recordings are padded"
    found: Memory = task.model.encode(batch.inputs.to(task.device), batch.document.to(task.device))
    return found


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
