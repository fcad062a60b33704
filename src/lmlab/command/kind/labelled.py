"""Experiments on labelled texts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.command.confusion import keep_confusion
from lmlab.command.kind.rows import SHOWN, Rows
from lmlab.command.labels import best, probabilities
from lmlab.command.lines import lines_of
from lmlab.examples import Known
from lmlab.examples import Rows as RowsOfSplit
from lmlab.metric.label_scores import LabelScores
from lmlab.run import json_file
from lmlab.task.classification import Classification
from lmlab.types import Mistake

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)

LABELS = "labels.json"
"""In the run's folder."""

TOGETHER = 64
"""Lines of a file that go through the model at a time."""


class Labelled(Rows):
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "num_classes", "batch": "num_classes"})

    def vocabulary(self, experiment: Experiment) -> Known:
        return Known(int(experiment.arrays.tokenizer.vocab_size), experiment.arrays.labels)

    def batching(self, experiment: Experiment) -> Any:
        config, arrays = experiment.config, experiment.arrays
        make = configuration.build(config, "batch")
        return make(
            seed=config.seed,
            eos=arrays.tokenizer.eos,
            num_classes=len(arrays.labels),
            several=config.task.multi_label,
        )

    def model(self, config: DictConfig, vocabulary: int | Known) -> tuple[Any, Any]:
        known = Known(vocabulary, ("no", "yes")) if isinstance(vocabulary, int) else vocabulary
        model = configuration.build(config, "model")(vocab_size=known.vocab_size, causal=Classification.causal)
        return model, configuration.build(config, "head")(dim=model.dim, num_classes=len(known.labels))

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        number, is_multi = len(experiment.arrays.labels), experiment.config.task.multi_label
        return lambda split: LabelScores(num_classes=number, multi_label=is_multi)

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        check_labels(experiment)

    def measured(self, experiment: Experiment) -> list[str]:
        metric = self.metric(experiment)("val")
        number, is_multi = len(experiment.arrays.labels), experiment.config.task.multi_label
        targets = torch.zeros(1, number) if is_multi else torch.zeros(1, dtype=torch.long)
        metric.update(torch.zeros(1, number), targets)
        return [f"val/{name}" for name in metric.compute()]

    def announce(self, experiment: Experiment) -> None:
        from lmlab.command.backends import announce

        arrays, length = experiment.arrays, experiment.batching.seq_len
        labels = ", ".join(arrays.labels[:10]) + (", ..." if len(arrays.labels) > 10 else "")
        log.info("%s examples of %s labels (%s)", f"{len(arrays.train):,}", len(arrays.labels), labels)
        if num_cut := int((arrays.train.lengths() + arrays.train.counts() + 1 > length).sum()):
            log.info("%s of them are longer than batch.seq_len=%s: their ends are left out", f"{num_cut:,}", length)
        announce(experiment)

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """Held-out texts with what they were taken for; or the prompt's own text."""
        is_multi = bool(experiment.config.task.multi_label)
        batching: Any = experiment.batching
        if prompt:
            batch = batching.of_texts([[experiment.arrays.tokenizer.encode(prompt)]])
            shares = probabilities(task, batch, multi_label=is_multi)
            return [f"{prompt}\n-> {_said(experiment, shares[0])}"]
        split = "test" if len(experiment.arrays.test) else "val"
        rows = getattr(experiment.arrays, split)
        chosen = np.linspace(0, max(len(rows) - 1, 0), num=min(num, len(rows)), dtype=np.int64)
        if not len(chosen):
            return []
        found = probabilities(task, batching.batch(rows, chosen), multi_label=is_multi)
        return [_line(experiment, rows, row, shares) for row, shares in zip(chosen.tolist(), found)]

    def longest_loss(
        self, experiment: Experiment, parts: list[Any], *, rows: int
    ) -> tuple[Callable[[], torch.Tensor], int]:
        model, head = parts
        batching: Any = experiment.batching
        longest = int(batching.lengths(experiment.arrays.train).max())
        ids = torch.zeros(rows, longest, dtype=torch.long, device="meta")

        def loss() -> torch.Tensor:
            logits = head(model(ids).states, ids == 0).float()
            return nn.functional.cross_entropy(logits, ids[:, 0])

        return loss, longest

    def baselines_name(self, experiment: Experiment) -> str | None:
        return None if experiment.config.task.multi_label else "baselines"

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        """The most frequent label of the training split; TF-IDF with logistic regression."""
        from lmlab.analysis.text_baselines import text_baselines

        return text_baselines(train, held_out)

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        json_file.write(run.path / LABELS, {"labels": list(experiment.arrays.labels)})

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """What was taken for what in each held-out split."""
        keep_confusion(run.path, task, experiment.arrays.labels)

    def known(self, run: RunFolder, tokenizer: Trained) -> Known:
        return Known(tokenizer.vocab_size, tuple(json_file.read(run.path / LABELS)["labels"]))

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """A line for each label of the text; or for each line of the file its labels and the line itself."""
        labels, is_multi = loaded.vocabulary.labels, bool(loaded.config.task.multi_label)
        batching = configuration.build(loaded.config, "batch")(
            seed=0, eos=loaded.tokenizer.eos, num_classes=len(labels), several=is_multi
        )
        texts = lines_of(options.path) if options.path else [[one for one in (options.text, options.second) if one]]
        for first in range(0, len(texts), TOGETHER):
            part = texts[first : first + TOGETHER]
            batch = batching.of_texts([[loaded.tokenizer.encode(text) for text in row] for row in part])
            for row, shares in zip(part, probabilities(loaded.task, batch, multi_label=is_multi)):
                found = [f"{label}  {share:.4f}" for label, share in best(shares, labels, num=options.num)]
                yield "\t".join([*found, *row]) if options.path else "\n".join(found)


def check_labels(experiment: Experiment) -> None:
    """One label per example, or several where the task says so; at least two in all."""
    arrays, is_multi = experiment.arrays, experiment.config.task.multi_label
    if len(arrays.labels) < 2:
        raise Mistake(f"the training split has only the label {', '.join(arrays.labels)!r}; nothing can be told apart")
    if is_multi:
        return
    for split in ("train", "val", "test"):
        numbers = np.diff(getattr(arrays, split).label_ends, prepend=0)
        if (wrong := numbers[numbers != 1]).size:
            raise Mistake(
                f"an example of the {split} split has {wrong[0]} labels, and a class is asked for; set task.multi_label=true"
            )


def _said(experiment: Experiment, shares: torch.Tensor) -> str:
    label, share = best(shares, experiment.arrays.labels, num=1)[0]
    return f"{label} ({share:.0%})"


def _line(experiment: Experiment, rows: RowsOfSplit, row: int, shares: torch.Tensor) -> str:
    text = " | ".join(experiment.arrays.tokenizer.decode(ids.tolist()) for ids in rows.texts_of(row))
    true = ", ".join(experiment.arrays.labels[number] for number in rows.labels_of(row))
    return f"{' '.join(text.split())[:SHOWN]}\n-> {_said(experiment, shares)}, labelled {true}"
