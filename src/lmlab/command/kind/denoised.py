"""Experiments on text with gaps: an encoder that reads it, a decoder that writes what was there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
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
from lmlab.command.kind.kind import Cost, has_encoder, plan_of
from lmlab.command.kind.masked import baselines_of
from lmlab.command.kind.running_text import RunningText
from lmlab.command.lines import texts_of
from lmlab.decoding.options import Options
from lmlab.metric.masked_scores import MaskedScores
from lmlab.optimizer.groups import parameter_groups
from lmlab.strategy.sharded import Sharded
from lmlab.tokenizer.arrays import TokenArrays
from lmlab.tokenizer.pieces import pieces, sentinels, with_sentinels
from lmlab.types import MASK, Batch, Mistake, Pieces

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded


class Denoised(RunningText):
    """See Kind; ids are those of language modelling, and the tokenizer has sentinels beside."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "embedding", "batch": "sentinels"})

    def arrays(self, experiment: Experiment) -> TokenArrays:
        arrays = super().arrays(experiment)
        return replace(arrays, tokenizer=with_sentinels(arrays.tokenizer))

    def batching(self, experiment: Experiment) -> Any:
        make = configuration.build(experiment.config, "batch")
        return make(seed=experiment.config.seed, sentinels=_pieces(experiment))

    def model(self, config: DictConfig, vocabulary: int) -> tuple[Any, Any]:
        if not has_encoder(config):
            raise Mistake(
                "task=denoising needs an encoder that reads the text and a decoder that writes what is missing, and this "
                "model is one of the two; choose model=seq2seq, with model/encoder and model/decoder, or model=t5_small"
            )
        return super().model(config, vocabulary)

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        return configuration.build(experiment.config, "task")(
            model=model,
            head=head,
            metric=self.metric(experiment),
            plan=plan_of(experiment, optimizer),
            special=tuple(np.flatnonzero(_pieces(experiment).is_special).tolist()),
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        return lambda split: MaskedScores()

    def refuse(self, experiment: Experiment, task: Any) -> None:
        from lmlab.command.backends import refuse
        from lmlab.command.rehearse import check_strategy

        config = experiment.config
        check_strategy(experiment, task)
        if issubclass(configuration.class_of(config, "strategy"), Sharded):
            raise Mistake("task=denoising cannot show samples of weights in pieces; choose strategy=ddp")
        if config.samples.prompt and MASK not in config.samples.prompt:
            raise Mistake(f"samples.prompt={config.samples.prompt} hides nothing; write {MASK} for what is to be found")
        with torch.no_grad():
            _loss(experiment, [task.model, task.head], rows=1)()
        refuse(experiment, task.model)

    def measured(self, experiment: Experiment) -> list[str]:
        return [f"val/{name}" for name in MaskedScores.scores]

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """What is written for the gaps of the prompt; or held-out text with what is written for its gaps."""
        from lmlab.command.gaps import filled_gaps, shown

        arrays = experiment.arrays
        if prompt:
            return [f"{prompt}\n-> {' ... '.join(filled_gaps(task, arrays.tokenizer, prompt))}"]
        batches: Any = experiment.batching.eval(arrays.test if len(arrays.test) else arrays.val)
        if not num or not len(batches):
            return []
        chosen = np.linspace(0, len(batches) - 1, num=min(num, len(batches)), dtype=np.int64)
        return [shown(arrays.tokenizer, _first(batches[number]), task)[0] for number in chosen.tolist()]

    def cost(self, experiment: Experiment) -> Cost:
        """Per token of the text."""
        from lmlab.command.size import on_meta

        parts = on_meta(experiment.config, self.vocabulary(experiment))
        make = configuration.build(experiment.config, "optimizer")
        memory = training_memory(
            _loss(experiment, list(parts), rows=experiment.share.micro_size), parameter_groups(parts), make
        )
        flops = training_flops(_loss(experiment, list(parts), rows=1)) / experiment.batching.seq_len
        return Cost(count(parts), flops, memory)

    def baselines(self, experiment: Experiment) -> dict[str, Any]:
        """Frequencies of tokens; a trigram sees too much for a comparison, both sides of each token."""
        found = baselines_of(experiment, _pieces(experiment))
        return {name: figures for name, figures in found.items() if name == "unigram"}

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """What is written for each `<mask>`, one a line; or for each line of the file, and the line."""
        from lmlab.command.gaps import filled_gaps

        for text in texts_of(loaded, options):
            found = filled_gaps(loaded.task, loaded.tokenizer, text)
            yield "\t".join([*found, text]) if options.path else "\n".join(found)

    def decoding(self, loaded: Loaded) -> Options:
        """The likeliest tokens; how many, the number of gaps says."""
        return Options(max_tokens=int(loaded.config.batch.seq_len))

    def write(self, loaded: Loaded, prompt: str, options: Options, num: int) -> list[str]:
        """What is written for each `<mask>`, one a line; of several fillings each in a line."""
        from lmlab.command.gaps import fillings_of_gaps

        found = fillings_of_gaps(loaded.task, loaded.tokenizer, prompt, options, num)
        return ["\n".join(found[0])] if num == 1 else ["\t".join(one) for one in found]


def _pieces(experiment: Experiment) -> Pieces:
    tokenizer = experiment.arrays.tokenizer
    return pieces(tokenizer, sentinels(tokenizer))


def _first(batch: Batch) -> Batch:
    """Its first row."""
    assert batch.source is not None, "there are gaps"
    return replace(batch, inputs=batch.inputs[:1], targets=batch.targets[:1], source=batch.source[:1])


def _loss(experiment: Experiment, parts: list[Any], *, rows: int) -> Callable[[], torch.Tensor]:
    """Of so many windows, on the meta device."""
    model, head = parts
    made: Any = experiment.batching
    batch: Batch = made.batch(np.zeros((rows, made.seq_len), np.int64), np.zeros((rows, 2 * made.seq_len)))
    assert batch.source is not None, "there are gaps"
    source, inputs, targets = (part.to("meta") for part in (batch.source, batch.inputs, batch.targets))

    def loss() -> torch.Tensor:
        logits = head(model.of_pair(source, inputs).states)
        return nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    return loss
