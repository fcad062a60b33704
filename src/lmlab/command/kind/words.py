"""Experiments on words: vectors that are changed in place, and what is measured of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.budget.memory import TrainingMemory, size_of, state_ratio
from lmlab.budget.parameters import count
from lmlab.command.kind.kind import Cost
from lmlab.data.cache import cache_folder
from lmlab.data.word_sets import read_word_sets
from lmlab.metric.mean_loss import MeanLoss
from lmlab.metric.word_evaluations import word_evaluations
from lmlab.optimizer.groups import parameter_groups
from lmlab.tokenizer.arrays import TokenArrays, token_arrays
from lmlab.tokenizer.word_counts import read_vocabulary, write_vocabulary
from lmlab.types import Corpus, Mistake, Vocabulary, WordWindows

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)

STEP = 100
"""Ranks between the words whose neighbours are shown."""

NEAREST = 8

VOCABULARY = "vocabulary.tsv"
"""In the run's folder."""


class Words:
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType(
        {"tokenizer": "lowercase", "model": "vocabulary", "head": "vocabulary", "batch": "corpus"}
    )

    def arrays(self, experiment: Experiment) -> TokenArrays:
        trainer = configuration.build(experiment.config, "tokenizer")
        return token_arrays(experiment.source, trainer, cache_folder(experiment.config.cache_dir))

    def vocabulary(self, experiment: Experiment) -> Vocabulary:
        return experiment.words

    def batching(self, experiment: Experiment) -> Any:
        tokenizer, words = experiment.arrays.tokenizer, experiment.words
        assert tokenizer.unk is not None, "check_parts lets a tokenizer of words through alone"
        corpus = Corpus(tokenizer.eos, tokenizer.unk, words.counts, experiment.arrays.path)
        return configuration.build(experiment.config, "batch")(seed=experiment.config.seed, corpus=corpus)

    def model(self, config: DictConfig, vocabulary: int | Vocabulary) -> tuple[Any, Any]:
        words = unnamed(vocabulary) if isinstance(vocabulary, int) else vocabulary
        model = configuration.build(config, "model")(vocabulary=words)
        return model, configuration.build(config, "head")(dim=model.dim, vocabulary=words)

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        config = experiment.config
        return configuration.build(config, "task")(
            model=model,
            head=head,
            metric=self.metric(experiment),
            evaluations=evaluations(experiment),
            optimizer=optimizer,
            schedule=configuration.build(config, "schedule")(horizon=experiment.horizon),
            total_steps=experiment.horizon.total_steps if experiment.has_end else None,
            seed=config.seed,
            threads=config.trainer.threads,
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        return lambda split: MeanLoss()

    def refuse(self, experiment: Experiment, task: Any) -> None:
        config = experiment.config
        if experiment.has_ranks:
            raise Mistake(
                "task=word_embedding shares a step among threads and not among devices; choose strategy=single"
            )
        wrong = {
            "trainer.compile": config.trainer.compile,
            "trainer.activation_checkpointing": config.trainer.get("activation_checkpointing"),
            "ema.decay": config.ema.decay is not None,
            "trainer.gradient_clip_val": config.trainer.gradient_clip_val is not None,
        }
        if found := [key for key, is_set in wrong.items() if is_set]:
            raise Mistake(f"task=word_embedding computes no gradients, which {found[0]} is about; leave it out")
        if config.trainer.precision != "32-true":
            raise Mistake(
                f"trainer.precision={config.trainer.precision} is too short for task=word_embedding, whose updates are small; "
                "set trainer.precision=32-true"
            )
        batching: Any = type(experiment.batching)
        if batching.makes is not task.head.reads:
            fitting = "word_windows" if task.head.reads is WordWindows else "cooccurrences"
            raise Mistake(
                f"head ({type(task.head).__name__}) does not learn from what batch ({batching.__name__}) makes; "
                f"choose batch={fitting}, or model=glove, which brings all that it needs"
            )
        task.configure_optimizers()

    def measured(self, experiment: Experiment) -> list[str]:
        return ["val/loss", *(f"val/{name}" for name in evaluations(experiment))]

    def announce(self, experiment: Experiment) -> None:
        counts, trainer = experiment.words.counts, experiment.config.trainer
        log.info("%s words, seen %s times", f"{int((counts > 0).sum()):,}", f"{int(counts.sum()):,}")
        if trainer.threads > 1:
            is_fast = experiment.config.task.lock_free
            log.info(
                f"{trainer.threads} threads write without locks: bits vary between runs (task.lock_free=false: one thread)"
                if is_fast
                else "one thread computes, with the same bits in every run (task.lock_free=true: all of them)"
            )

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """The nearest neighbours of the prompt's words; without a prompt, of words from among the most frequent."""
        from lmlab.analysis.neighbors import nearest

        words, vectors = experiment.words, task.model.vectors().detach()
        ids = {word: index for index, word in enumerate(words.words)}
        seen = words.counts.nonzero()[0].tolist()
        asked = [ids[word] for word in prompt.split() if word in ids] or _spread(seen[: num * STEP], num)
        silent = sorted(set(range(len(words.words))) - set(seen))
        return [
            f"{words.words[index]}: "
            + ", ".join(
                words.words[one] for one, _ in nearest(vectors, vectors[index], num=NEAREST, exclude=[index, *silent])
            )
            for index in asked
        ]

    def cost(self, experiment: Experiment) -> Cost:
        from lmlab.command.size import on_meta

        parts = on_meta(experiment.config, len(experiment.words.words))
        make = configuration.build(experiment.config, "optimizer")
        groups = parameter_groups(parts)
        weights = sum(size_of(one) for one in parts.parameters())
        state = sum(state_ratio(group, make) * sum(map(size_of, group["params"])) for group in groups)
        memory = TrainingMemory(weights=weights, gradients=0, optimizer=round(state), activations=0, backward=0)
        return Cost(count(parts), None, memory)

    def baselines(self, experiment: Experiment) -> dict[str, Any]:
        return {}

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        write_vocabulary(run.path / VOCABULARY, experiment.words)

    def known(self, run: RunFolder, tokenizer: Trained) -> Vocabulary:
        return read_vocabulary(run.path / VOCABULARY)

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """A map of the most frequent words."""
        from lmlab.analysis.word_map import write_word_map

        words, vectors = experiment.words, task.model.vectors().detach().cpu().numpy()
        write_word_map(run.path, words=words.words, counts=words.counts, vectors=vectors)


def _spread(ids: list[int], num: int) -> list[int]:
    """As many, far from each other, the last one last."""
    step = max(1, len(ids) // max(num, 1))
    return ids[step - 1 :: step][:num]


def unnamed(number: int) -> Vocabulary:
    """As many words as will be there, where only sizes matter."""
    counts = np.ones(number, dtype=np.int64)
    counts[:2] = 0
    return Vocabulary(tuple(f"w{index}" for index in range(number)), counts)


def evaluations(experiment: Experiment) -> dict[str, Metric]:
    """The word sets that are there, as metrics of vectors."""
    root = experiment.config.task.evaluation
    if root is None:
        return {}
    sets = read_word_sets(Path(root))
    with torch.device("cpu"):  # a rehearsal builds on the meta device, where nothing can be counted
        return word_evaluations(experiment.words.words, similarity=sets.similarity, analogy=sets.analogy)
