"""Experiments on examples that each stand for themselves: labelled texts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.budget.flops import training_flops
from lmlab.budget.memory import training_memory
from lmlab.budget.parameters import count
from lmlab.command.kind.kind import Cost, plan_of
from lmlab.command.labels import best, probabilities
from lmlab.data.cache import cache_folder
from lmlab.examples import Known
from lmlab.examples import Rows as RowsOfSplit
from lmlab.metric.label_scores import LabelScores
from lmlab.optimizer.groups import parameter_groups
from lmlab.run import json_file
from lmlab.task.classification import Classification
from lmlab.tokenizer.row_arrays import RowArrays, row_arrays
from lmlab.types import Mistake, Split

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)

LABELS = "labels.json"
"""In the run's folder."""

SHOWN = 200
"""Characters of a text that is shown with its label."""


class Rows:
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "num_classes", "batch": "num_classes"})

    def arrays(self, experiment: Experiment) -> RowArrays:
        trainer = configuration.build(experiment.config, "tokenizer")
        return row_arrays(experiment.source, trainer, cache_folder(experiment.config.cache_dir))

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

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        return configuration.build(experiment.config, "task")(
            model=model, head=head, metric=self.metric(experiment), plan=plan_of(experiment, optimizer)
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        number, is_multi = len(experiment.arrays.labels), experiment.config.task.multi_label
        return lambda split: LabelScores(num_classes=number, multi_label=is_multi)

    def refuse(self, experiment: Experiment, task: Any) -> None:
        from lmlab.command.backends import refuse
        from lmlab.command.rehearse import check_strategy

        check_labels(experiment)
        check_strategy(experiment, task)
        experiment.batching.train(experiment.arrays.train)[0, 0]
        _loss_of_longest(experiment, [task.model, task.head], rows=1)()
        refuse(experiment, task.model)

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

    def cost(self, experiment: Experiment) -> Cost:
        """Of a step of the longest examples: padding is counted as well."""
        from lmlab.command.size import on_meta

        parts = on_meta(experiment.config, self.vocabulary(experiment))
        make = configuration.build(experiment.config, "optimizer")
        forward = _loss_of_longest(experiment, list(parts), rows=experiment.share.micro_size)
        memory = training_memory(forward, parameter_groups(parts), make)
        flops = training_flops(_loss_of_longest(experiment, list(parts), rows=1))
        return Cost(count(parts), flops / _longest(experiment), memory)

    def baselines(self, experiment: Experiment) -> dict[str, Any]:
        """The most frequent label of the training split; TF-IDF with logistic regression, from the cache if it is there."""
        from lmlab.analysis.text_baselines import text_baselines

        arrays = experiment.arrays
        split: Split = "test" if len(arrays.test) else "val"
        if experiment.config.task.multi_label or not len(getattr(arrays, split)):
            return {}
        path = arrays.path / f"baselines_{split}.json"
        if not path.exists():
            train, held_out = (list(experiment.source.read(one)) for one in ("train", split))
            json_file.write(path, text_baselines(train, held_out))
        return json_file.read(path)

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        json_file.write(run.path / LABELS, {"labels": list(experiment.arrays.labels)})

    def known(self, run: RunFolder, tokenizer: Trained) -> Known:
        return Known(tokenizer.vocab_size, tuple(json_file.read(run.path / LABELS)["labels"]))

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """Nothing else."""


def check_labels(experiment: Experiment) -> None:
    """One label per example, or several where the task says so; at least two in all."""
    arrays, is_multi = experiment.arrays, experiment.config.task.multi_label
    if experiment.config.trainer.max_tokens is not None:
        raise Mistake(
            "trainer.max_tokens counts running text, and this task has examples; set trainer.max_epochs instead"
        )
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


def _longest(experiment: Experiment) -> int:
    batching: Any = experiment.batching
    return int(batching.lengths(experiment.arrays.train).max())


def _loss_of_longest(experiment: Experiment, parts: list[Any], *, rows: int) -> Callable[[], torch.Tensor]:
    """The loss of examples as long as the longest, on the meta device."""
    model, head = parts
    ids = torch.zeros(rows, _longest(experiment), dtype=torch.long, device="meta")

    def loss() -> torch.Tensor:
        logits = head(model(ids).states, ids == 0).float()
        return nn.functional.cross_entropy(logits, ids[:, 0])

    return loss
