"""Experiments on images and captions: finding one by the other, or writing it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.command.kind.kind import plan_of
from lmlab.command.kind.rows import SHOWN, Rows
from lmlab.command.kind.source_target import in_evaluation, keep_written
from lmlab.command.pictures import told, writer_of
from lmlab.data.cache import cache_folder
from lmlab.examples import Pictures, Seen, SourceTarget
from lmlab.head.captioning import Captioning
from lmlab.metric.retrieval import FIGURES, Retrieval
from lmlab.metric.text_scores import figures
from lmlab.metric.written import scored
from lmlab.model.viewer import Viewer
from lmlab.run import json_file
from lmlab.strategy.sharded import Sharded
from lmlab.task.image_text import ImageText as Task
from lmlab.tokenizer.image_arrays import ImageArrays, image_arrays
from lmlab.types import Mistake, Split

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)

PIXELS = "pixels.json"
"""In the run's folder."""


class ImageText(Rows):
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType(
        {"model": "vocab_size", "head": "text", "batch": "pairs", "frontend": "shape"}
    )

    def arrays(self, experiment: Experiment) -> ImageArrays:  # type: ignore[override]
        trainer = configuration.build(experiment.config, "tokenizer")
        return image_arrays(experiment.source, trainer, cache_folder(experiment.config.cache_dir))

    def vocabulary(self, experiment: Experiment) -> Seen:
        arrays = experiment.arrays
        mean, scale = tuple(arrays.train.mean.tolist()), tuple(arrays.train.scale.tolist())
        return Seen(int(arrays.tokenizer.vocab_size), tuple(arrays.train.pixels.shape[1:]), mean, scale)

    def batching(self, experiment: Experiment) -> Any:
        return batching_of(experiment.config, experiment.arrays.tokenizer)

    def model(self, config: DictConfig, vocabulary: int | Seen) -> tuple[Any, Any]:
        side = max(1, int(config.frontend.size))
        seen = Seen(vocabulary, (side, side, 1)) if isinstance(vocabulary, int) else vocabulary
        encoder = configuration.build(config, "model")(vocab_size=1, causal=Task.causal)
        model = Viewer(frontend=configuration.build(config, "frontend"), encoder=encoder, shape=seen.shape)
        return model, configuration.build(config, "head")(dim=model.dim, text_vocab_size=seen.vocab_size)

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        return configuration.build(experiment.config, "task")(
            model=model,
            head=head,
            metric=self.metric(experiment),
            plan=plan_of(experiment, optimizer),
            write=writer_of(experiment.config, experiment.arrays.tokenizer),
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        config, tokenizer = experiment.config, experiment.arrays.tokenizer
        if not writes(config):
            directed = configuration.class_of(config, "head").directed
            return lambda split: Retrieval(directed=directed)
        make = configuration.build(config, "metric")
        return lambda split: make(
            references=lambda: [pair.targets for pair in _pairs(experiment, split)], decode=tokenizer.decode
        )

    def measured(self, experiment: Experiment) -> list[str]:
        found = FIGURES
        if writes(experiment.config):
            found = ("loss", "perplexity", *figures(experiment.config.metric.scores))
        return [f"val/{name}" for name in found]

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        config = experiment.config
        configuration.build(config, "decoding")
        for key in ("model.embedding", f"{configuration.TEXT_MODEL}.embedding"):
            block = OmegaConf.select(config, key) or {}
            if block.get("init_from") is not None or block.get("freeze"):
                raise Mistake(
                    f"{key} is not started from word vectors in this task; leave its init_from and freeze out"
                )
        if issubclass(configuration.class_of(config, "strategy"), Sharded):
            raise Mistake(
                "captions are read and written by weights that are whole on each rank, and this strategy keeps them in "
                "pieces; choose strategy=ddp"
            )
        if not writes(config) and (number := experiment.share.num_micro) > 1:
            raise Mistake(
                f"batch.micro_size={config.batch.micro_size} makes {number} passes of a step, and an image would be told from "
                f"the captions of its own pass alone; set batch.micro_size=null, and batch.size={experiment.share.micro_size} "
                "if memory is short"
            )

    def refuse(self, experiment: Experiment, task: Any) -> None:
        from lmlab.command.backends import refuse
        from lmlab.command.rehearse import check_strategy

        self.check(experiment)
        check_strategy(experiment, task)
        experiment.batching.train(experiment.arrays.train)[0, 0]
        self.longest_loss(experiment, [task.model, task.head], rows=1)[0]()
        refuse(experiment, task.model.encoder, length=task.model.frontend.num_patches)

    def announce(self, experiment: Experiment) -> None:
        from lmlab.command.backends import calls, lines
        from lmlab.command.size import on_meta

        arrays, batching = experiment.arrays, experiment.batching
        made: Any = batching
        number, sizes = int(arrays.train.captions.counts().sum()), "x".join(map(str, arrays.train.pixels.shape[1:]))
        log.info("%s images of %s with %s captions", f"{len(arrays.train):,}", sizes, f"{number:,}")
        lengths = np.diff(arrays.train.captions.text_ends, prepend=0)
        if cut := int((lengths + 1 > made.seq_len).sum()):
            log.info("%s captions are longer than batch.seq_len=%s: their ends are left out", f"{cut:,}", made.seq_len)
        model: Any = on_meta(experiment.config, self.vocabulary(experiment))[0]
        for line in lines(calls(experiment, model.encoder, length=model.frontend.num_patches)):
            log.info("%s", line)

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """Held-out images: their first caption, and what is written for them or is nearest; or of the file of the prompt."""
        from lmlab.command.pictures import pixels_of_file

        split: Split = "test" if len(experiment.arrays.test) else "val"
        rows: Pictures = getattr(experiment.arrays, split)
        names = [prompt]
        if prompt:
            images = pixels_of_file(Path(prompt), self.vocabulary(experiment))[None]
        else:
            chosen = np.linspace(0, max(len(rows) - 1, 0), num=min(num, len(rows)), dtype=np.int64)
            if not len(chosen):
                return []
            images = rows.images_of(chosen)
            decode = experiment.arrays.tokenizer.decode
            names = [decode(rows.captions.texts_of(row)[0].tolist()).strip()[:SHOWN] for row in chosen.tolist()]
        found = in_evaluation(task, lambda: told(experiment, task, images, 1))
        return [f"{name}\n-> {lines[0]}" for name, lines in zip(names, found)]

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        from lmlab.command.pictures import answered

        return answered(loaded, options)

    def longest_loss(
        self, experiment: Experiment, parts: list[Any], *, rows: int
    ) -> tuple[Callable[[], torch.Tensor], int]:
        model, head = parts
        made: Any = experiment.batching
        train: Pictures = experiment.arrays.train
        longest = int(made.lengths(made.items(train)).max())
        images = torch.zeros(rows, *train.pixels.shape[1:], device="meta")
        ids = torch.zeros(rows, longest, dtype=torch.long, device="meta")

        def loss() -> torch.Tensor:
            states = model(images).states
            if writes(experiment.config):
                logits = head(states, ids, None)[0].flatten(0, 1).float()
                return nn.functional.cross_entropy(logits, ids.flatten())
            found: torch.Tensor = -(head.images(states) @ head.texts(ids, None)[0].T).log_softmax(dim=-1).mean()
            return found

        return loss, longest

    def baselines_name(self, experiment: Experiment) -> str | None:
        scores = experiment.config.metric.scores
        return "_".join(["baselines_written", *scores]) if writes(experiment.config) else "baselines_found"

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        """Chance, the nearest training image by its pixels, the most frequent caption."""
        from lmlab.analysis.caption_baselines import retrieval_baselines, writing_baselines

        if not writes(experiment.config):
            return retrieval_baselines(train, held_out)
        references, scores = [one.texts for one in held_out], experiment.config.metric.scores
        return {name: scored(scores, texts, references) for name, texts in writing_baselines(train, held_out).items()}

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        seen = self.vocabulary(experiment)
        json_file.write(
            run.path / PIXELS, {"shape": list(seen.shape), "mean": list(seen.mean), "scale": list(seen.scale)}
        )

    def known(self, run: RunFolder, tokenizer: Trained) -> Seen:
        found = json_file.read(run.path / PIXELS)
        height, width, channels = found["shape"]
        return Seen(tokenizer.vocab_size, (height, width, channels), tuple(found["mean"]), tuple(found["scale"]))

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """What was written for each held-out image, and how it was scored."""
        if writes(experiment.config):
            keep_written(experiment, run, task, lambda split: _pairs(experiment, split))


def writes(config: DictConfig) -> bool:
    """Whether captions are written, and not found."""
    return issubclass(configuration.class_of(config, "head"), Captioning)


def batching_of(config: DictConfig, tokenizer: Trained) -> Any:
    """Of the head's kind."""
    return configuration.build(config, "batch")(seed=config.seed, eos=tokenizer.eos, pairs=not writes(config))


def _pairs(experiment: Experiment, split: Any) -> list[SourceTarget]:
    """The name of each image, and its captions."""
    return [SourceTarget(one.name, one.texts) for one in experiment.source.read(split)]
