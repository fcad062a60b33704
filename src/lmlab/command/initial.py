"""init_from: the weights that a run begins with, of another run, of a checkpoint, or of a folder in Hugging Face's format."""

import logging
from pathlib import Path
from typing import Any

from torch import Tensor

from lmlab.command.experiment import Experiment
from lmlab.command.load import weights_of
from lmlab.command.pretrained import is_folder, weights_of_folder
from lmlab.launcher.find import find_run
from lmlab.run import checkpoint
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def initial_weights(experiment: Experiment, task: Any) -> dict[str, Tensor]:
    """The weights that init_from names, where they are those of such a task; of a task without memory perhaps only shapes."""
    source, own = str(experiment.config.init_from), task.state_dict()
    if is_folder(source):
        vocab_size = experiment.arrays.tokenizer.vocab_size
        weights = weights_of_folder(experiment.config, vocab_size, source, own)
    elif Path(source).is_file():
        weights = dict(checkpoint.load(Path(source))["state_dict"])
    else:
        run = find_run(source)
        weights = weights_of(run, "best")
        if run.config["task"]["_target_"] != experiment.config.task["_target_"]:
            log.info("the head of %s is for another task: this one begins untrained", run.id)
            weights = {name: tensor for name, tensor in weights.items() if not name.startswith("head.")}
            weights |= {name: tensor for name, tensor in own.items() if name.startswith("head.")}
    wrong = [name for name, tensor in weights.items() if name not in own or own[name].shape != tensor.shape]
    wrong += [name for name in own if name not in weights]
    if wrong:
        raise Mistake(
            f"init_from={source} does not fit this model: {', '.join(sorted(set(wrong))[:3])} differ; "
            "give the model and tokenizer that it was trained with"
        )
    return weights
