"""lmlab in Python: `model, tokenizer = lmlab.load("latest")`."""

from typing import Any


def load(target: str, *, checkpoint: str = "best") -> tuple[Any, Any]:
    """A trained run's model and head (as one module, in eval mode) and its tokenizer.

    Args:
        target: A run by path, id, the beginning of its id, name, or `latest`.
        checkpoint: best, last, or the path of a file.
    """
    from lmlab.command.load import load_run  # torch is imported when a model is asked for, not with the package

    loaded = load_run(target, checkpoint)
    return loaded.task, loaded.tokenizer
