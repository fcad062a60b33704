"""Experiments on sources for each of which a target is to be written: translation, summarisation."""

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
from lmlab.batch.source_target import prompts
from lmlab.command.kind.kind import has_encoder, plan_of
from lmlab.command.kind.packing import announce_packing, check_packing
from lmlab.command.kind.rows import SHOWN, Rows
from lmlab.command.lines import texts_of
from lmlab.decoding.decode import alternatives, decode
from lmlab.decoding.options import Options
from lmlab.examples import SourceTarget as Example
from lmlab.metric.text_scores import figures
from lmlab.metric.written import scored, signatures
from lmlab.predictions import asked, predicted
from lmlab.run import json_file
from lmlab.strategy.sharded import Sharded
from lmlab.types import Batch, Memory, Mistake, Split

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)

WRITTEN = "written_{split}.jsonl"
"""In the run's folder: of every example of a split its source, its references and what was written."""

HELD_OUT: tuple[Split, ...] = ("val", "test")

TOGETHER = 64
"""Lines of a file that are written for at a time."""

SIGNATURES = "signatures.json"
"""Beside it: how sacreBLEU counted."""


class SourceTarget(Rows):
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "vocab_size", "batch": "joined"})

    def vocabulary(self, experiment: Experiment) -> int:
        return int(experiment.arrays.tokenizer.vocab_size)

    def known(self, run: RunFolder, tokenizer: Trained) -> int:
        return tokenizer.vocab_size

    def batching(self, experiment: Experiment) -> Any:
        return batching_of(experiment.config, experiment.arrays.tokenizer)

    def model(self, config: DictConfig, vocabulary: int) -> tuple[Any, Any]:
        model = configuration.build(config, "model")(vocab_size=vocabulary, causal=True)
        head = configuration.build(config, "head")(dim=model.dim, vocab_size=vocabulary, embedding=model.embedding)
        return model, head

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        return configuration.build(experiment.config, "task")(
            model=model,
            head=head,
            metric=self.metric(experiment),
            plan=plan_of(experiment, optimizer),
            write=writer_of(experiment.config, experiment.arrays.tokenizer),
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        tokenizer, make = experiment.arrays.tokenizer, configuration.build(experiment.config, "metric")
        return lambda split: make(
            references=lambda: [pair.targets for pair in self.pairs(experiment, split)], decode=tokenizer.decode
        )

    def pairs(self, experiment: Experiment, split: Any) -> list[Example]:
        """What is shown for each example of a split, and what is then to be written."""
        return list(experiment.source.read(split))

    def measured(self, experiment: Experiment) -> list[str]:
        return [f"val/{name}" for name in ("loss", "perplexity", *figures(experiment.config.metric.scores))]

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        configuration.build(experiment.config, "decoding")
        if issubclass(configuration.class_of(experiment.config, "strategy"), Sharded):
            raise Mistake(
                "a target cannot be written by weights in pieces, each rank writing another one; choose strategy=ddp"
            )

    def refuse(self, experiment: Experiment, task: Any) -> None:
        check_packing(experiment.batching, task.model)
        super().refuse(experiment, task)

    def longest_loss(
        self, experiment: Experiment, parts: list[Any], *, rows: int
    ) -> tuple[Callable[[], torch.Tensor], int]:
        model, head = parts
        made: Any = experiment.batching
        batch, length = made.longest(experiment.arrays.train, rows)
        inputs, targets = batch.inputs.to("meta"), batch.targets.to("meta")
        source = None if batch.source is None else batch.source.to("meta")

        def loss() -> torch.Tensor:
            output = model(inputs, **asked(head)) if source is None else model.of_pair(source, inputs, **asked(head))
            logits = predicted(head, output, source).flatten(0, 1).float()
            return nn.functional.cross_entropy(logits, targets.flatten())

        return loss, length

    def announce(self, experiment: Experiment) -> None:
        from lmlab.command.backends import announce

        arrays, batching = experiment.arrays, experiment.batching
        made: Any = batching
        sizes = np.array([arrays.train.lengths().sum(), made.lengths(arrays.train).sum() - 2 * len(arrays.train)])
        log.info("%s sources with targets, %s tokens", f"{len(arrays.train):,}", f"{sizes[0]:,}")
        if cut := int(sizes[0] - sizes[1]):
            log.info(
                "%s of them are beyond batch.seq_len=%s, or further targets, and left out", f"{cut:,}", batching.seq_len
            )
        announce_packing(experiment)
        announce(experiment)

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """Held-out sources with what is written for them and what stands there; or for the prompt."""
        tokenizer, made = experiment.arrays.tokenizer, experiment.batching
        batching: Any = made
        if prompt:
            return [f"{prompt}\n-> {self.spoken(self.written(experiment.config, tokenizer, task, [prompt])[0])}"]
        split: Split = "test" if len(experiment.arrays.test) else "val"
        rows = getattr(experiment.arrays, split)
        chosen = np.linspace(0, max(len(rows) - 1, 0), num=min(num, len(rows)), dtype=np.int64)
        if not len(chosen):
            return []
        batch = batching.batch(rows, chosen)
        found = in_evaluation(task, lambda: writer_of(experiment.config, tokenizer)(task, batch))
        texts = [[tokenizer.decode(ids.tolist()) for ids in rows.texts_of(row)] for row in chosen.tolist()]
        return [
            f"{_short(source)}\n-> {self.spoken(_short(tokenizer.decode(ids)))}\n   {self.spoken(_short(target))}"
            for (source, target), ids in zip(map(self.told, texts), found)
        ]

    def spoken(self, text: str) -> str:
        """A text that was or is to be written, as it is shown."""
        return text

    def told(self, texts: list[str]) -> tuple[str, str]:
        """Of an example's texts what is shown, and what is then to be written."""
        return texts[0], texts[1]

    def written(self, config: DictConfig, tokenizer: Trained, task: Any, sources: list[str]) -> list[str]:
        """What is written for each of some texts."""
        batch = self.of_sources(config, tokenizer, sources)
        found = in_evaluation(task, lambda: writer_of(config, tokenizer)(task, batch))
        return [tokenizer.decode(ids).strip() for ids in found]

    def of_sources(self, config: DictConfig, tokenizer: Trained, sources: list[str]) -> Batch:
        """Texts for which something is to be written."""
        found: Batch = batching_of(config, tokenizer).of_sources([tokenizer.encode(text) for text in sources])
        return found

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """What is written for the text; or for each line of the file, in its line."""
        sources = texts_of(loaded, options)
        for first in range(0, len(sources), TOGETHER):
            found = self.written(loaded.config, loaded.tokenizer, loaded.task, sources[first : first + TOGETHER])
            yield from (" ".join(text.split("\n")) if options.path else text for text in found)

    def decoding(self, loaded: Loaded) -> Options:
        found: Options = configuration.build(loaded.config, "decoding")
        return found

    @torch.no_grad()
    def write(self, loaded: Loaded, prompt: str, options: Options, num: int) -> list[str]:
        """As `answer` writes for one text."""
        task, tokenizer = loaded.task, loaded.tokenizer
        ids, _, memory = asked_of(task, self.of_sources(loaded.config, tokenizer, [prompt]))
        given: dict[str, Any] = {"num": num, "eos": tokenizer.eos, "options": options, "memory": memory}
        return [tokenizer.decode(one).strip() for one in alternatives(task.model, task.head, ids, **given)]

    def baselines_name(self, experiment: Experiment) -> str | None:
        return "_".join(["baselines", *experiment.config.metric.scores])

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        from lmlab.analysis.written_baselines import written_baselines

        references, scores = [one.targets for one in held_out], experiment.config.metric.scores
        return {name: scored(scores, texts, references) for name, texts in written_baselines(train, held_out).items()}

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """What was written for each held-out source, and how it was scored."""
        keep_written(experiment, run, task, lambda split: self.pairs(experiment, split))


def keep_written(experiment: Experiment, run: RunFolder, task: Any, pairs: Callable[[Split], list[Example]]) -> None:
    """Writes what the last evaluation of each split wrote, beside its references, and sacreBLEU's signatures.

    Args:
        pairs: what each example of a split was written for, and its references.
    """
    found = {}
    for split in HELD_OUT:
        texts = getattr(task.metrics[split], "last", {})
        if not texts:
            continue
        places = sorted(texts)
        examples = [pair for place, pair in enumerate(pairs(split)) if place in texts]
        written, references = [texts[place] for place in places], [pair.targets for pair in examples]
        lines = [
            json_file.dumps({"source": pair.source, "references": pair.targets, "written": text})
            for pair, text in zip(examples, written)
        ]
        json_file.write_text(run.path / WRITTEN.format(split=split), "\n".join([*lines, ""]))
        found = signatures(experiment.config.metric.scores, written, references)
    for name, signature in found.items():
        log.info("%s: %s", name, signature)
    if found:
        json_file.write(run.path / SIGNATURES, found)


def batching_of(config: DictConfig, tokenizer: Trained) -> Any:
    """Source and target apart where the model has an encoder, else joined."""
    joined = not has_encoder(config)
    return configuration.build(config, "batch")(seed=config.seed, eos=tokenizer.eos, joined=joined)


def writer_of(config: DictConfig, tokenizer: Trained) -> Callable[[Any, Batch], list[list[int]]]:
    """Model and head (under these names), batch -> ids of what is written for each source."""
    options = configuration.build(config, "decoding")

    def write(task: Any, batch: Batch) -> list[list[int]]:
        ids, document, memory = asked_of(task, batch)
        return decode(task.model, task.head, ids, document, eos=tokenizer.eos, options=options, memory=memory)

    return write


def asked_of(task: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, Memory | None]:
    """What the decoder has read before it writes, ids and document [batch, time], and what it reads of an encoder."""
    ids, document = (part.to(task.device) for part in prompts(batch))
    if batch.source is None or batch.source_document is None:
        return ids, document, None
    return ids, document, task.model.encode(batch.source.to(task.device), batch.source_document.to(task.device))


def in_evaluation(task: Any, call: Callable[[], Any]) -> Any:
    """A call in evaluation mode."""
    was_training = task.training
    task.eval()
    found = call()
    task.train(was_training)
    return found


def _short(text: str) -> str:
    return " ".join(text.split())[:SHOWN]
