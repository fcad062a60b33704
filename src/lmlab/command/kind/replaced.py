"""Experiments on text in which a small generator replaces tokens: an encoder tells which, a head brings the generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omegaconf import DictConfig, open_dict
from torch import nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.budget.flops import training_flops
from lmlab.budget.memory import training_memory
from lmlab.budget.parameters import count
from lmlab.command.kind.kind import Cost, plan_of
from lmlab.command.kind.masked import Masked
from lmlab.command.lines import texts_of
from lmlab.head.generator import Generator
from lmlab.metric.replaced_scores import ReplacedScores
from lmlab.optimizer.groups import parameter_groups
from lmlab.strategy.sharded import Sharded
from lmlab.types import Mistake

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded


class Replaced(Masked):
    """See Kind; ids and hidden tokens are those of masked language modelling."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "generator", "batch": "masking"})

    def model(self, config: DictConfig, vocabulary: int) -> tuple[Any, Any]:
        model = configuration.build(config, "model")(vocab_size=vocabulary, causal=False)

        def generator(share: float, activation: nn.Module, eps: float) -> Generator:
            return Generator(
                model=configuration.build(narrow(config, share), "model")(vocab_size=1, causal=False),
                dim=model.embedding.embedding_dim,
                vocab_size=vocabulary,
                embedding=model.embedding,
                activation=activation,
                eps=eps,
            )

        return model, configuration.build(config, "head")(dim=model.dim, generator=generator)

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        return configuration.build(experiment.config, "task")(
            model=model, head=head, metric=self.metric(experiment), plan=plan_of(experiment, optimizer)
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        weight = float(experiment.config.task.weight)
        return lambda split: ReplacedScores(weight=weight)

    def refuse(self, experiment: Experiment, task: Any) -> None:
        from lmlab.command.backends import refuse
        from lmlab.command.rehearse import check_strategy

        check_strategy(experiment, task)
        if issubclass(configuration.class_of(experiment.config, "strategy"), Sharded):
            raise Mistake(
                "task=replaced_token_detection shares an embedding between two models, which no strategy with weights in "
                "pieces does; set strategy=ddp"
            )
        with torch.no_grad():
            _loss(experiment, [task.model, task.head], rows=1)()
        refuse(experiment, task.model)

    def measured(self, experiment: Experiment) -> list[str]:
        return [f"val/{name}" for name in ReplacedScores.figures]

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """Held-out text in which the generator has replaced tokens; or the prompt's own tokens that look like it."""
        from lmlab.command.replacements import SURE, shown, suspected

        arrays = experiment.arrays
        if prompt:
            found = [
                f"{word} ({share:.0%})" for word, share in suspected(task, arrays.tokenizer, prompt) if share > SURE
            ]
            return [f"{prompt}\n-> {', '.join(found) or 'nothing'}"]
        held_out = arrays.test if len(arrays.test) else arrays.val
        if not len(held_out) or not num:
            return []
        batches: Any = experiment.batching.eval(held_out)
        chosen = np.linspace(0, len(batches) - 1, num=min(num, len(batches)), dtype=np.int64)
        return [shown(task, arrays.tokenizer, batches[number], length=length) for number in chosen.tolist()]

    def cost(self, experiment: Experiment) -> Cost:
        """Of both models."""
        from lmlab.command.size import on_meta

        parts = on_meta(experiment.config, self.vocabulary(experiment))
        make = configuration.build(experiment.config, "optimizer")
        forward = _loss(experiment, list(parts), rows=experiment.share.micro_size)
        memory = training_memory(forward, parameter_groups(parts), make)
        flops = training_flops(_loss(experiment, list(parts), rows=1)) / experiment.batching.seq_len
        return Cost(count(parts), flops, memory)

    def baselines(self, experiment: Experiment) -> dict[str, Any]:
        """Frequencies in the generator's place; what detection has to beat depends on the generator, and is among its scores."""
        found = super().baselines(experiment)
        return {
            name: {f"generator_{score}": value for score, value in figures.items()}
            for name, figures in found.items()
            if name == "unigram"
        }

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """Each token with the probability that it was replaced; of a file's lines the likeliest ones, and the line."""
        from lmlab.command.replacements import suspected

        for text in texts_of(loaded, options):
            found = suspected(loaded.task, loaded.tokenizer, text)
            if options.path:
                found = sorted(found, key=lambda pair: -pair[1])[: options.num]
            lines = [f"{word}  {share:.4f}" for word, share in found]
            yield "\t".join([*lines, text]) if options.path else "\n".join(lines)


def narrow(config: DictConfig, share: float) -> DictConfig:
    """The configuration with a model of so much of the width, of its hidden layers and of its heads, and as many layers."""
    found = config.copy()
    model, attention = found.model, found.model.get("attention")
    unit = 2  # recurrent layers have two directions
    with open_dict(found):
        if attention is not None and attention.get("num_heads"):
            heads = max(1, round(attention.num_heads * share))
            unit, attention.num_heads = 2 * heads, heads
            if attention.get("num_kv_heads"):
                attention.num_kv_heads = math.gcd(heads, max(1, round(attention.num_kv_heads * share)))
        for part in (model, model.get("mixer")):
            if part is not None and part.get("num_heads"):
                part.num_heads = max(1, round(part.num_heads * share))
                unit = math.lcm(unit, 2 * part.num_heads)
        model.dim = max(unit, round(model.dim * share / unit) * unit)
        if (part := model.get("feedforward")) is not None:
            part = part.get("expert", part)
            if part.get("hidden_dim"):
                part.hidden_dim = max(1, round(part.hidden_dim * share))
    return found


def _loss(experiment: Experiment, parts: list[Any], *, rows: int) -> Callable[[], torch.Tensor]:
    """Of so many windows, on the meta device; the share of hidden tokens is that of the batches."""
    model, head = parts
    made: Any = experiment.batching
    ids = torch.zeros(rows, made.seq_len, dtype=torch.long, device="meta")
    num_hidden = max(1, round(made.rate * made.seq_len))

    def loss() -> torch.Tensor:
        vectors = head.generator.inner(model.embedding(ids))
        hidden = head.generator.output(head.generator.model(vectors).states[:, :num_hidden])
        generated = nn.functional.cross_entropy(hidden.flatten(0, 1).float(), ids[:, :num_hidden].flatten())
        scores = head(model(ids).states).float()
        return generated + nn.functional.binary_cross_entropy_with_logits(scores, scores.detach())

    return loss
