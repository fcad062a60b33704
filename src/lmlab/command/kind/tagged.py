"""Experiments on sentences with a tag for each word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omegaconf import DictConfig
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.command.confusion import keep_confusion
from lmlab.command.kind.labelled import LABELS
from lmlab.command.kind.rows import Rows
from lmlab.command.lines import text_of
from lmlab.command.tags import best_tags, side_by_side
from lmlab.examples import Known
from lmlab.metric.tag_scores import TagScores
from lmlab.run import json_file
from lmlab.task.tagging import Tagging
from lmlab.types import SPLITS, Mistake, Split

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)

SHOWN_WORDS = 60
"""Of a sentence that is shown with its tags."""

FEWEST_WORDS = 6
"""Of a sentence that is shown, where there are such."""

TOGETHER = 256
"""Sentences that go through the model before their tags are written."""


class Tagged(Rows):
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "num_tags", "batch": "eos"})

    def vocabulary(self, experiment: Experiment) -> Known:
        return Known(int(experiment.arrays.tokenizer.vocab_size), experiment.arrays.labels)

    def batching(self, experiment: Experiment) -> Any:
        make = configuration.build(experiment.config, "batch")
        return make(seed=experiment.config.seed, eos=experiment.arrays.tokenizer.eos)

    def model(self, config: DictConfig, vocabulary: int | Known) -> tuple[Any, Any]:
        known = Known(vocabulary, ("no", "yes")) if isinstance(vocabulary, int) else vocabulary
        model = configuration.build(config, "model")(vocab_size=known.vocab_size, causal=Tagging.causal)
        return model, configuration.build(config, "head")(dim=model.dim, num_tags=len(known.labels))

    def ends(self, rows: Any) -> np.ndarray:
        """One number is left out between sentences."""
        return np.asarray(rows.row_ends, np.int64) + np.arange(len(rows))

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        labels = experiment.arrays.labels
        return lambda split: TagScores(labels=labels)

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        arrays = experiment.arrays
        for split in SPLITS:
            rows = getattr(arrays, split)
            if not np.array_equal(rows.row_ends, rows.label_ends):
                raise Mistake(f"a sentence of the {split} split has not as many tags as words; correct the data")
        if len(arrays.labels) < 2:
            raise Mistake(
                f"the training split has only the tag {', '.join(arrays.labels)!r}; nothing can be told apart"
            )

    def measured(self, experiment: Experiment) -> list[str]:
        metric, one = self.metric(experiment)("val"), torch.zeros(1, dtype=torch.long)
        metric.update(torch.zeros(()), one, one, one)
        return [f"val/{name}" for name in metric.compute()]

    def announce(self, experiment: Experiment) -> None:
        from lmlab.command.backends import announce

        arrays, batching = experiment.arrays, experiment.batching
        labels = ", ".join(arrays.labels[:10]) + (", ..." if len(arrays.labels) > 10 else "")
        sentences, words = len(arrays.train), len(arrays.train.labels)
        log.info("%s sentences of %s words, %s tags (%s)", f"{sentences:,}", f"{words:,}", len(arrays.labels), labels)
        parts = batching.items(arrays.train)  # type: ignore[attr-defined]
        if num_cut := sentences and int((np.bincount(parts.row) > 1).sum()):
            log.info("%s of them are longer than batch.seq_len=%s: they are cut", f"{num_cut:,}", batching.seq_len)
        announce(experiment)

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """Held-out sentences with their tags, the right one behind a wrong one; or the prompt's."""
        arrays, labels = experiment.arrays, experiment.arrays.labels
        if prompt:
            sentences = _sentences(experiment.config, prompt)
            found = best_tags(task, experiment.batching, arrays.tokenizer, sentences)
            return [
                " ".join(f"{word}/{labels[tag]}" for word, tag in zip(words, tags))
                for words, tags in zip(sentences, found)
            ]
        examples = _shown(experiment, num)
        found = best_tags(task, experiment.batching, arrays.tokenizer, [one.words for one in examples])
        return [_line(one, [labels[tag] for tag in tags]) for one, tags in zip(examples, found)]

    def longest_loss(
        self, experiment: Experiment, parts: list[Any], *, rows: int
    ) -> tuple[Callable[[], torch.Tensor], int]:
        model, head = parts
        longest = int(experiment.batching.items(experiment.arrays.train).length.max())  # type: ignore[attr-defined]
        ids = torch.zeros(rows, longest, dtype=torch.long, device="meta")
        return lambda: head(model(ids).states).loss(ids), longest

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        """The most frequent tag; that of each word."""
        from lmlab.analysis.tag_baselines import tag_baselines

        return tag_baselines(train, held_out)

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        json_file.write(run.path / LABELS, {"labels": list(experiment.arrays.labels)})

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """What was taken for what in each held-out split."""
        keep_confusion(run.path, task, experiment.arrays.labels)

    def known(self, run: RunFolder, tokenizer: Trained) -> Known:
        return Known(tokenizer.vocab_size, tuple(json_file.read(run.path / LABELS)["labels"]))

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """A line for each word with its tag; an empty line between sentences."""
        if options.second:
            raise Mistake(f"second={options.second!r} is for pairs of texts, and this run tags words; leave it out")
        batching = configuration.build(loaded.config, "batch")(seed=0, eos=loaded.tokenizer.eos)
        sentences = _sentences(loaded.config, text_of(options.path) if options.path else options.text)
        if not sentences:
            raise Mistake("there is no word to tag; give some by text or path")
        for first in range(0, len(sentences), TOGETHER):
            part = sentences[first : first + TOGETHER]
            found = best_tags(loaded.task, batching, loaded.tokenizer, part)
            for number, (words, tags) in enumerate(zip(part, found)):
                if first + number:
                    yield ""
                yield from (f"{word}\t{loaded.vocabulary.labels[tag]}" for word, tag in zip(words, tags))


def _sentences(config: DictConfig, text: str) -> list[tuple[str, ...]]:
    """The words of a text as the data have them; of data that do not say, what stands between white space, a sentence a line."""
    divide = getattr(configuration.class_of(config, "data"), "sentences_of", None)
    lines = (tuple(line.split()) for line in text.split("\n"))
    found: list[tuple[str, ...]] = divide(text) if divide else [words for words in lines if words]
    return found


def _shown(experiment: Experiment, num: int) -> list[Any]:
    """Sentences from the whole of the held-out split; short ones only where there are no others."""
    split: Split = "test" if len(experiment.arrays.test) else "val"
    rows = getattr(experiment.arrays, split)
    long = np.flatnonzero(rows.counts() >= FEWEST_WORDS)
    choice = long if len(long) else np.arange(len(rows))
    chosen = {
        int(choice[place]) for place in np.linspace(0, len(choice) - 1, num=min(num, len(choice)), dtype=np.int64)
    }
    return [one for number, one in enumerate(experiment.source.read(split)) if number in chosen]


def _line(example: Any, said: Sequence[str]) -> str:
    pairs = [*side_by_side(example.words, said, example.tags)]
    num_right = sum(one == other for one, other in zip(said, example.tags))
    more = " ..." if len(pairs) > SHOWN_WORDS else ""
    return f"{' '.join(pairs[:SHOWN_WORDS])}{more}\n-> {num_right} of {len(pairs)} tags right"
