"""A trained run, rebuilt from its folder alone: configuration, tokenizer, weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from lmlab.command.experiment import build_model
from lmlab.command.kind.kind import kind_of
from lmlab.command.stored import stored
from lmlab.launcher.find import find_run
from lmlab.run import checkpoint
from lmlab.run.folder import RunFolder
from lmlab.tokenizer.trained import Trained
from lmlab.tokenizer.trained import load as load_tokenizer
from lmlab.types import Mistake


class Decoder(torch.nn.Module):
    """Model and head under the names that they have in a checkpoint."""

    def __init__(self, model: Any, head: Any) -> None:
        super().__init__()
        self.model, self.head = model, head

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


@dataclass
class Loaded:
    """What a verb that reads a run works with."""

    run: RunFolder
    config: DictConfig
    task: Decoder
    tokenizer: Trained
    vocabulary: Any
    """What the model was built for."""

    @property
    def context(self) -> int:
        """Tokens that the model saw at once in training."""
        return int(self.config.batch.seq_len)


def load_run(name: str, which: str) -> Loaded:
    """The run with the weights of its best, last or a named checkpoint."""
    run = find_run(name)
    config = stored(run.path / "config.yaml")
    weights = weights_of(run, which)
    tokenizer = load_tokenizer(run.path / "tokenizer.json")
    vocabulary = kind_of(config).known(run, tokenizer)
    task = Decoder(*build_model(config, vocabulary))
    task.load_state_dict({name: tensor for name, tensor in weights.items() if name.startswith(("model.", "head."))})
    return Loaded(run, config, task.eval(), tokenizer, vocabulary)


def weights_of(run: RunFolder, which: str) -> dict[str, torch.Tensor]:
    """The state dict of the best, the last or a named checkpoint."""
    if which == "last":
        found = checkpoint.newest(run.checkpoints)
        if found is None:
            raise Mistake(f"{run.path} has no checkpoint yet; let it train to its first (checkpoint.every steps)")
        return dict(found[1]["state_dict"])
    path = run.checkpoints / "best.ckpt" if which == "best" else Path(which)
    if which == "best" and not path.exists():
        return weights_of(run, "last")
    if not path.is_file():
        raise Mistake(f"there is no checkpoint {which!r}; checkpoint takes best, last or the path of a file")
    try:
        return dict(checkpoint.load(path)["state_dict"])
    except OSError as error:
        raise Mistake(f"{error}; try checkpoint=last") from error
