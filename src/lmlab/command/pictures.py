"""What a trained model of images and captions says: what it writes for an image, or which captions and images are near."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from lmlab import config as configuration
from lmlab.data.found import Fault
from lmlab.data.picture import SUFFIXES, read_picture
from lmlab.decoding.decode import decode
from lmlab.examples import Pictures, Seen
from lmlab.task.image_text import Pairing
from lmlab.tokenizer.trained import Trained
from lmlab.types import Batch, Memory, Mistake

TOGETHER = 64
"""Images, or captions, that go through the model at a time."""


def writer_of(config: DictConfig, tokenizer: Trained) -> Callable[[Any, Batch], list[list[int]]]:
    """Model and head (under these names), batch with images -> ids of what is written for each."""
    options = configuration.build(config, "decoding")

    def write(task: Any, batch: Batch) -> list[list[int]]:
        assert batch.source is not None, "there are images"
        states = task.model(batch.source.to(task.device)).states
        starts = torch.full((len(states), 1), tokenizer.eos, device=states.device)
        return decode(
            task.head.text, task.head.output, starts, eos=tokenizer.eos, options=options, memory=Memory(states)
        )

    return write


def answered(loaded: Any, options: Any) -> Iterator[str]:
    """Of an image, or of each of a folder with its name before it, what is written or near; of a text the nearest images."""
    from lmlab.command.experiment import resolve

    experiment = resolve(loaded.config)
    if options.second:
        raise Mistake(f"second={options.second!r} is for pairs of texts; leave it out")
    if options.text:
        yield from _of_text(experiment, loaded, options)
        return
    path = Path(options.path).expanduser()
    files = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise Mistake(
            f"path={path} has no images ({', '.join(SUFFIXES[:3])} ...); set path to one, or to a folder of them"
        )
    for first in range(0, len(files), TOGETHER):
        part = files[first : first + TOGETHER]
        images = np.stack([pixels_of_file(file, loaded.vocabulary) for file in part])
        found = told(experiment, loaded.task, images, 1 if path.is_dir() else options.num)
        yield from (f"{file.name}\t{lines[0]}" for file, lines in zip(part, found)) if path.is_dir() else found[0]


@torch.no_grad()
def told(experiment: Any, task: Any, images: np.ndarray, num: int) -> list[list[str]]:
    """For each image, float32 [image, height, width, channels], what is written, or the nearest captions of training."""
    tokenizer = experiment.arrays.tokenizer
    if not isinstance(task.head, Pairing):
        batch = experiment.batching.of_images(images)
        return [[tokenizer.decode(ids).strip()] for ids in writer_of(experiment.config, tokenizer)(task, batch)]
    captions = distinct(experiment.arrays.train)
    names = [tokenizer.decode(ids).strip() for ids in captions]
    scores = _of_images(experiment, task, images) @ _of_texts(experiment, task, captions).T
    return [_best(one, names, num) for one in scores]


def _of_text(experiment: Any, loaded: Any, options: Any) -> Iterator[str]:
    if not isinstance(loaded.task.head, Pairing):
        raise Mistake(
            f"{loaded.run.path} writes captions for images: lmlab predict RUN path=FILE.png, or a folder of them"
        )
    split = "test" if len(experiment.arrays.test) else "val"
    rows: Pictures = getattr(experiment.arrays, split)
    with torch.no_grad():
        text = _of_texts(experiment, loaded.task, [loaded.tokenizer.encode(options.text)])[0]
        parts = np.array_split(np.arange(len(rows)), -(-len(rows) // TOGETHER))
        scores = torch.cat([_of_images(experiment, loaded.task, rows.images_of(part)) @ text for part in parts])
    names = [f"{one.name}: {one.texts[0]}" for one in experiment.source.read(split)]
    yield from _best(scores, names, options.num)


def _of_images(experiment: Any, task: Any, images: np.ndarray) -> Tensor:
    source = experiment.batching.of_images(images).source.to(task.device)
    return cosines(task.head.images(task.model(source).states))


def _of_texts(experiment: Any, task: Any, captions: Sequence[list[int]]) -> Tensor:
    found = []
    for first in range(0, len(captions), TOGETHER):
        batch = experiment.batching.of_texts([*captions[first : first + TOGETHER]])
        found.append(cosines(task.head.texts(batch.inputs.to(task.device), batch.document.to(task.device))[0]))
    return torch.cat(found)


def cosines(vectors: Tensor) -> Tensor:
    """Vectors of which products are cosines, of those of a head, of which they are logits."""
    return torch.nn.functional.normalize(vectors[:, :-1], dim=1)


def _best(scores: Tensor, names: Sequence[str], num: int) -> list[str]:
    """The nearest ones, each with its cosine."""
    best = scores.float().topk(min(num, len(names)))
    return [f"{names[place]}  {score:.2f}" for score, place in zip(best.values.tolist(), best.indices.tolist())]


def distinct(rows: Pictures) -> list[list[int]]:
    """The different captions of a split, as ids, in the order in which they come."""
    captions = rows.captions
    found = {tuple(np.asarray(ids).tolist()): None for row in range(len(rows)) for ids in captions.texts_of(row)}
    return [[*ids] for ids in found]


def pixels_of_file(path: Path, seen: Seen) -> np.ndarray:
    """An image as the model reads it, float32 [height, width, channels].

    Raises:
        Mistake: for a file that cannot be read.
    """
    try:
        pixels = read_picture(path, size=seen.shape[0], channels=seen.shape[2])
    except Fault as fault:
        raise Mistake(f"path={path} {fault.what}; set path to an image, or to a folder of them") from None
    found: np.ndarray = (pixels.astype(np.float32) - np.array(seen.mean, np.float32)) * np.array(seen.scale, np.float32)
    return found
