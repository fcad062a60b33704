"""Experiments on sequences of tokens: a model of the model contract, a head, an objective with gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.command.kind.kind import plan_of
from lmlab.command.kind.packing import announce_packing
from lmlab.command.kind.running_text import LARGEST_FOR_BASELINES, RunningText
from lmlab.metric.baseline import baselines
from lmlab.metric.token_loss import TokenLoss
from lmlab.run import json_file
from lmlab.strategy.sharded import Sharded

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded


class Tokens(RunningText):
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "vocab_size", "batch": "eos"})
    shows_prompt = True

    def batching(self, experiment: Experiment) -> Any:
        make = configuration.build(experiment.config, "batch")
        return make(seed=experiment.config.seed, eos=experiment.arrays.tokenizer.eos)

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        return configuration.build(experiment.config, "task")(
            model=model, head=head, metric=self.metric(experiment), plan=plan_of(experiment, optimizer)
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        """Each knows how many bytes and words the split's tokens stand for."""
        splits = experiment.arrays.meta["splits"]
        return lambda split: TokenLoss(
            num_tokens=splits[split]["tokens"], num_bytes=splits[split]["bytes"], num_words=splits[split]["words"]
        )

    def announce(self, experiment: Experiment) -> None:
        announce_packing(experiment)
        super().announce(experiment)

    def refuse(self, experiment: Experiment, task: Any) -> None:
        from lmlab.command.rehearse import check_tokens

        check_tokens(experiment, task)

    def measured(self, experiment: Experiment) -> list[str]:
        metric = self.metric(experiment)("val")
        metric.update(torch.zeros(()), 1)
        return [f"val/{name}" for name in metric.compute()]

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        from lmlab.command.continuation import continuations

        return continuations(
            unsharded(experiment, task),
            experiment.arrays.tokenizer,
            prompt,
            num=num,
            max_tokens=length,
            temperature=temperature,
            seed=experiment.config.seed,
            context_size=experiment.batching.seq_len,
        )

    def opening(self, loaded: Loaded, prompt: str, room: int) -> Tensor:
        """The prompt behind `<eos>`, as every document begins."""
        from lmlab.command.continuation import opening

        return opening(loaded.task, loaded.tokenizer, prompt)

    def baselines(self, experiment: Experiment) -> dict[str, Any]:
        """Bits per byte of simple models on the same split, from the cache where they were computed before."""
        arrays = experiment.arrays
        split = "test" if len(arrays.test) else "val"
        if not len(getattr(arrays, split)) or arrays.meta["splits"]["train"]["bytes"] > LARGEST_FOR_BASELINES:
            return {}
        path = arrays.path / f"baselines_{split}.json"
        if not path.exists():
            train, held_out = (_text_of(experiment, name) for name in ("train", split))
            found = baselines(
                train=arrays.train,
                held_out=getattr(arrays, split),
                vocab_size=arrays.tokenizer.vocab_size,
                eos=arrays.tokenizer.eos,
                train_text=train,
                held_out_text=held_out,
            )
            json_file.write(path, {name: asdict(figures) for name, figures in found.items()})
        return json_file.read(path)


def unsharded(experiment: Experiment, task: Any) -> Any:
    """Model and head as one process can run them: of weights in pieces a copy, which all ranks make together."""
    strategy = task.trainer.strategy
    if not isinstance(strategy, Sharded):
        return task
    from lmlab.command.experiment import build_model
    from lmlab.command.load import Decoder

    weights = strategy.lightning_module_state_dict()
    copy = Decoder(*build_model(experiment.config, experiment.arrays.tokenizer.vocab_size))
    copy.load_state_dict({name: tensor for name, tensor in weights.items() if name.startswith(("model.", "head."))})
    return copy.to(task.device)


def _text_of(experiment: Experiment, split: Any) -> bytes:
    """The documents of a split as one string of bytes: as many as its bits per byte are divided by."""
    return "".join(example.text for example in experiment.source.read(split)).encode()
