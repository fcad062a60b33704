"""Every (task x model x head) that lmlab allows, trained briefly on the task's embedded data: `scripts/matrix.py tasks`.

A cell passes where its loss on held-out batches is below that of a guess which sees no input: the share of each target among
those of training, or its share at its place in the row, whichever is the better guess. Where the loss is not one of targets
alone (word vectors, pairs of images and captions, replaced tokens) it has to fall by a tenth.
"""

import math
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf, open_dict

from lmlab import config as configuration
from lmlab.command.experiment import Experiment, build_task, build_trainer, resolve
from lmlab.command.fit import quiet
from lmlab.command.kind.kind import fits, kind_of
from lmlab.command.rehearse import rehearse
from lmlab.task.word_embedding import WordEmbedding
from lmlab.tree import groups
from lmlab.types import IGNORE, Mistake

SMALL = {
    "dim": 64, "num_layers": 2, "attention.num_heads": 4, "attention.num_kv_heads": 4, "attention.head_dim": 16,
    "cross_attention.num_heads": 4, "cross_attention.num_kv_heads": 4, "cross_attention.head_dim": 16,
    "feedforward.num_experts": 2, "feedforward.dim": 128, "mixer.chunk_size": 16, "buckets": 1000, "dropout": 0.0,
    "init_range": 0.3, "init_std": 0.1,
}  # fmt: skip
"""Set where a model has the key and gives it a value."""
COMMON = ("logger=none", "trainer.max_epochs=null", "trainer.accelerator=cpu", "trainer.threads=1")
OF_GRADIENTS = ("optimizer=adamw", "schedule=constant", "trainer.precision=32-true")
SHORT = {
    "batch.size": 16,
    "batch.seq_len": 64,
    "batch.question_len": 16,
    "batch.stride": 24,
    "task.label_smoothing": 0.0,
}
"""Set where the configuration has the key; a recording needs its length."""
RATES, OF_WORDS = (3e-3, 1e-3, 1e-2), (0.05, 0.5, 2.0)
"""Learning rates, tried in turn: what learns with one of them can learn. Word vectors have others."""
WORDS = "word_embedding"
STEPS, HELD_OUT = 160, 8
"""Steps of training, and batches on which the loss is measured."""


@dataclass(frozen=True)
class TaskCell:
    """One combination."""

    task: str
    model: str
    head: str

    @property
    def name(self) -> str:
        return f"task={self.task} model={self.model} head={self.head}"


PARTS = ("task", "data", "tokenizer", "batch", "model", "head")


def cells() -> list[TaskCell]:
    """All that differ in more than numbers, refused or not: GPT-2 stands for its larger sisters."""
    found: dict[str, TaskCell] = {}
    for task in groups()["task"]:
        needs = kind_of(configuration.compose([f"task={task}"])).needs
        models, heads = (
            [name for name, path in groups()[group].items() if fits(path, needs[group])] for group in ("model", "head")
        )
        for cell in (TaskCell(task, model, head) for model in models for head in heads):
            found.setdefault(shape(composed(cell)), cell)
    return list(found.values())


def shape(config: DictConfig) -> str:
    """The parts that make a cell, without numbers."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(one) for key, one in value.items()}
        return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value

    plain = configuration.plain(config)
    return repr({part: without(plain[part]) for part in PARTS})


@cache
def composed(cell: TaskCell, rate: float | None = None) -> DictConfig:
    """The experiment, made small where it has the keys to make it so."""
    has_gradients = cell.task != WORDS
    words = [*cell.name.split(), *COMMON, *(OF_GRADIENTS if has_gradients else ()), f"trainer.max_steps={STEPS}"]
    config = configuration.compose(words)
    with open_dict(config):
        for block in (config.model, config.model.get("encoder"), config.model.get("decoder")):
            for key, value in SMALL.items():
                is_own = block is not None and not OmegaConf.is_interpolation(block, key.split(".")[0])
                if is_own and OmegaConf.select(block, key) is not None:
                    OmegaConf.update(block, key, value)
        for key, value in SHORT.items():
            if configuration.has(config, key) and not (cell.task == "speech_recognition" and key == "batch.seq_len"):
                OmegaConf.update(config, key, value)
        config.optimizer.lr = rates(cell)[0] if rate is None else rate
    return config


def is_of_pairs(cell: TaskCell) -> bool:
    """Whether its loss is of pairs or of two models, and no guess at targets."""
    return cell.task in (WORDS, "replaced_token_detection") or cell.head.endswith("contrastive")


def rates(cell: TaskCell) -> tuple[float, ...]:
    return OF_WORDS if cell.task == WORDS else RATES


def tried(cell: TaskCell) -> tuple[str, list[str]]:
    """Why a cell is refused, or nothing; and what went wrong."""
    try:
        experiment = resolve(composed(cell))
        rehearse(experiment)
    except Mistake as mistake:
        return str(mistake), []
    except Exception:
        return "", [f"build: {traceback.format_exc(limit=-2)}"]
    try:
        return "", learned(cell, experiment)
    except Exception:
        return "", [f"training: {traceback.format_exc(limit=-2)}"]


def learned(cell: TaskCell, experiment: Experiment) -> list[str]:
    """What is wrong with the held-out loss, if anything is."""
    found = []
    for rate in rates(cell):
        if found:
            experiment = resolve(composed(cell, rate))
        before, after = trained(experiment)
        guess = 0.9 * before if is_of_pairs(cell) else chance(experiment)
        if after < guess:
            return []
        found.append(after)
    return [f"held-out loss {min(found):.3f}, a guess has {guess:.3f}"]


def trained(experiment: Experiment) -> tuple[float, float]:
    """The held-out loss before and after training."""
    torch.manual_seed(0)
    with quiet():
        task, data = build_task(experiment), experiment.datamodule(0)
        trainer = build_trainer(experiment, callbacks=[], plugins=[], folder=Path())
        trainer.limit_val_batches = 0
        before = held_out_loss(experiment, task)
        trainer.fit(task, datamodule=data)
        return before, held_out_loss(experiment, task)


@torch.no_grad()
def held_out_loss(experiment: Experiment, task: Any) -> float:
    """Of the first batches of validation, per target."""
    task.eval()
    total, number = 0.0, 0
    for batch in batches(experiment, "val"):
        if isinstance(task, WordEmbedding):
            summed, counted = task._pass(batch, task.optimizer_factory(task), 0.0, 0)
        else:
            summed, counted = float(task.objective(batch)[0]), batch.num_targets
        total, number = total + summed, number + counted
    task.train()
    return total / number


def batches(experiment: Experiment, split: str) -> Iterable[Any]:
    data = experiment.datamodule(0)
    return islice(
        data.train_dataloader() if split == "train" else data.val_dataloader(), STEPS if split == "train" else HELD_OUT
    )


def chance(experiment: Experiment) -> float:
    """Nats per target of the better guess."""
    seen, wanted = (list(targets(batches(experiment, split))) for split in ("train", "val"))
    return min(nats(seen, wanted), nats([(0, one) for _, one in seen], [(0, one) for _, one in wanted]))


def targets(found: Iterable[Any]) -> Iterable[tuple[int, int]]:
    """Each target with its place in its row."""
    for batch in found:
        for row in batch.targets.reshape(len(batch.targets), -1).tolist():
            yield from enumerate(one for one in row if one != IGNORE)


def nats(seen: list[tuple[int, int]], wanted: list[tuple[int, int]]) -> float:
    """Per target, by counts of training with one more each."""
    counts, totals, size = Counter(seen), Counter(place for place, _ in seen), len({one for _, one in seen}) + 1
    return -sum(math.log((counts[one] + 1) / (totals[one[0]] + size)) for one in wanted) / len(wanted)
