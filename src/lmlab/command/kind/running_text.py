"""Experiments on running text: what all kinds of them have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from lmlab import config as configuration
from lmlab.command.kind.kind import Cost
from lmlab.data.cache import cache_folder
from lmlab.tokenizer.arrays import TokenArrays, token_arrays

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

LARGEST_FOR_BASELINES = 2**26
"""Bytes of training text above which n-grams and xz would take longer than they are worth."""


class RunningText:
    """The part of a Kind that does not depend on what is predicted of the text; see Kind."""

    def arrays(self, experiment: Experiment) -> TokenArrays:
        trainer = configuration.build(experiment.config, "tokenizer")
        return token_arrays(experiment.source, trainer, cache_folder(experiment.config.cache_dir))

    def vocabulary(self, experiment: Experiment) -> int:
        return int(experiment.arrays.tokenizer.vocab_size)

    def model(self, config: DictConfig, vocabulary: int) -> tuple[Any, Any]:
        causal = configuration.class_of(config, "task").causal
        model = configuration.build(config, "model")(vocab_size=vocabulary, causal=causal)
        head = configuration.build(config, "head")(dim=model.dim, vocab_size=vocabulary, embedding=model.embedding)
        return model, head

    def announce(self, experiment: Experiment) -> None:
        from lmlab.command.backends import announce

        announce(experiment)

    def cost(self, experiment: Experiment) -> Cost:
        from lmlab.command.size import cost

        return cost(experiment)

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        """Nothing: the tokenizer says all."""

    def known(self, run: RunFolder, tokenizer: Trained) -> int:
        return tokenizer.vocab_size

    def keep(self, experiment: Experiment, run: RunFolder, task: Any) -> None:
        """Nothing else."""
