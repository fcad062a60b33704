"""Experiments on examples that each stand for themselves: what all kinds of them have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from lmlab import config as configuration
from lmlab.budget.flops import training_flops
from lmlab.budget.memory import training_memory
from lmlab.budget.parameters import count
from lmlab.command.kind.kind import Cost, plan_of
from lmlab.data.cache import cache_folder
from lmlab.optimizer.groups import parameter_groups
from lmlab.run import json_file
from lmlab.tokenizer.row_arrays import RowArrays, row_arrays
from lmlab.types import Mistake, Split

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.run.folder import RunFolder

SHOWN = 200
"""Characters of a text that is shown beside what was made of it."""


class Rows:
    """The part of a Kind that does not depend on what the examples are; see Kind."""

    needs: Mapping[str, str]

    def arrays(self, experiment: Experiment) -> RowArrays:
        trainer = configuration.build(experiment.config, "tokenizer")
        return row_arrays(experiment.source, trainer, cache_folder(experiment.config.cache_dir))

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        return configuration.build(experiment.config, "task")(
            model=model, head=head, metric=self.metric(experiment), plan=plan_of(experiment, optimizer)
        )

    def ends(self, rows: Any) -> np.ndarray:
        """The place, as batches count it in evaluation, after the last one of each example of a split."""
        return np.arange(1, len(rows) + 1)

    def metric(self, experiment: Experiment) -> Any:
        raise NotImplementedError

    def check(self, experiment: Experiment) -> None:
        """Says what is wrong with the examples, or does not go with them."""
        if experiment.config.trainer.max_tokens is not None:
            raise Mistake(
                "trainer.max_tokens counts running text, and this task has examples; set trainer.max_epochs instead"
            )

    def refuse(self, experiment: Experiment, task: Any) -> None:
        from lmlab.command.backends import refuse
        from lmlab.command.rehearse import check_strategy

        self.check(experiment)
        check_strategy(experiment, task)
        experiment.batching.train(experiment.arrays.train)[0, 0]
        self.longest_loss(experiment, [task.model, task.head], rows=1)[0]()
        refuse(experiment, task.model)

    def longest_loss(self, experiment: Experiment, parts: list[Any], *, rows: int) -> tuple[Callable[[], Tensor], int]:
        """The loss of some examples as long as the longest, on the meta device; and the tokens of one."""
        raise NotImplementedError

    def cost(self, experiment: Experiment) -> Cost:
        """Of a step of the longest examples: padding is counted as well."""
        from lmlab.command.size import on_meta

        parts = on_meta(experiment.config, self.vocabulary(experiment))
        make = configuration.build(experiment.config, "optimizer")
        forward, _ = self.longest_loss(experiment, list(parts), rows=experiment.share.micro_size)
        memory = training_memory(forward, parameter_groups(parts), make)
        one, tokens = self.longest_loss(experiment, list(parts), rows=1)
        return Cost(count(parts), training_flops(one) / tokens, memory)

    def vocabulary(self, experiment: Experiment) -> Any:
        raise NotImplementedError

    def baselines(self, experiment: Experiment) -> dict[str, Any]:
        """From the cache if they are there."""
        split: Split = "test" if len(experiment.arrays.test) else "val"
        if not len(getattr(experiment.arrays, split)) or (name := self.baselines_name(experiment)) is None:
            return {}
        path = experiment.arrays.path / f"{name}_{split}.json"
        if not path.exists():
            train, held_out = (list(experiment.source.read(one)) for one in ("train", split))
            json_file.write(path, self.compared(experiment, train, held_out))
        return json_file.read(path)

    def baselines_name(self, experiment: Experiment) -> str | None:
        """Of the file that keeps them, which says all on which they depend beside the data; None: there are none."""
        return "baselines"

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        """Figures of simple methods on held-out examples."""
        raise NotImplementedError

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        """Nothing: the tokenizer says all."""

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """Nothing else."""
