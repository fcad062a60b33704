"""Experiments on text with hidden tokens: an encoder, a head over the vocabulary, windows of text in which tokens are hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.command.kind.kind import plan_of
from lmlab.command.kind.running_text import LARGEST_FOR_BASELINES, RunningText
from lmlab.command.kind.tokens import unsharded
from lmlab.command.lines import texts_of
from lmlab.metric.masked_baseline import masked_baselines
from lmlab.metric.masked_scores import MaskedScores
from lmlab.run import json_file
from lmlab.strategy.sharded import Sharded
from lmlab.tokenizer.arrays import TokenArrays
from lmlab.tokenizer.pieces import pieces, with_mask
from lmlab.types import MASK, Mistake, Pieces

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded


class Masked(RunningText):
    """See Kind; ids are those of language modelling, and the tokenizer has a `<mask>` beside."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "embedding", "batch": "masking"})

    def arrays(self, experiment: Experiment) -> TokenArrays:
        arrays = super().arrays(experiment)
        return replace(arrays, tokenizer=with_mask(arrays.tokenizer))

    def batching(self, experiment: Experiment) -> Any:
        make = configuration.build(experiment.config, "batch")
        return make(seed=experiment.config.seed, pieces=_pieces(experiment))

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        known = _pieces(experiment)
        return configuration.build(experiment.config, "task")(
            model=model,
            head=head,
            metric=self.metric(experiment),
            plan=plan_of(experiment, optimizer),
            mask=known.marks[0],
            special=tuple(np.flatnonzero(known.is_special).tolist()),
            num_held_out=len(experiment.arrays.test),
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        return lambda split: MaskedScores()

    def refuse(self, experiment: Experiment, task: Any) -> None:
        from lmlab.command.rehearse import check_tokens

        config = experiment.config
        check_tokens(experiment, task)
        if config.task.pseudo_perplexity and issubclass(configuration.class_of(config, "strategy"), Sharded):
            raise Mistake(
                f"task.pseudo_perplexity={config.task.pseudo_perplexity} needs the whole model on each device; "
                "set task.pseudo_perplexity=0, or strategy=ddp"
            )
        if config.samples.prompt and MASK not in config.samples.prompt:
            raise Mistake(f"samples.prompt={config.samples.prompt} hides nothing; write {MASK} for what is to be found")

    def measured(self, experiment: Experiment) -> list[str]:
        return [f"val/{name}" for name in MaskedScores.scores]

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """What the prompt hides; or held-out text with what was hidden in it, and what was taken for it."""
        from lmlab.command.filling import filled, fillings

        whole, arrays = unsharded(experiment, task), experiment.arrays
        if prompt:
            found = fillings(whole, arrays.tokenizer, prompt, num=num)
            return [f"{prompt}\n-> {', '.join(f'{word} ({share:.0%})' for word, share in best)}" for best in found]
        held_out = arrays.test if len(arrays.test) else arrays.val
        if not len(held_out) or not num:
            return []
        batches: Any = experiment.batching.eval(held_out)
        chosen = np.linspace(0, len(batches) - 1, num=min(num, len(batches)), dtype=np.int64)
        return [filled(whole, arrays.tokenizer, batches[number], length=length)[0] for number in chosen.tolist()]

    def baselines(self, experiment: Experiment) -> dict[str, Any]:
        """Frequencies, and a trigram that fills one place at a time; from the cache where they were computed before."""
        return baselines_of(experiment, _pieces(experiment))

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        """The likeliest tokens for each `<mask>`, an empty line between two; or for each line of the file, and the line."""
        from lmlab.command.filling import fillings

        for text in texts_of(loaded, options):
            places = [
                [f"{word}  {share:.4f}" for word, share in best]
                for best in fillings(loaded.task, loaded.tokenizer, text, num=options.num)
            ]
            if options.path:
                yield "\t".join([*(line for lines in places for line in lines), text])
            else:
                yield "\n\n".join("\n".join(lines) for lines in places)


def _pieces(experiment: Experiment) -> Pieces:
    tokenizer = experiment.arrays.tokenizer
    return pieces(tokenizer, (tokenizer.mask,))


def baselines_of(experiment: Experiment, known: Pieces) -> dict[str, Any]:
    """What fills hidden places without a model."""
    arrays = experiment.arrays
    split = "test" if len(arrays.test) else "val"
    held_out = getattr(arrays, split)
    if not len(held_out) or arrays.meta["splits"]["train"]["bytes"] > LARGEST_FOR_BASELINES:
        return {}
    path = arrays.path / f"masked_baselines_{len(known.is_special)}_{split}.json"  # marks count as well
    if not path.exists():
        json_file.write(path, masked_baselines(train=arrays.train, held_out=held_out, is_special=known.is_special))
    return json_file.read(path)
