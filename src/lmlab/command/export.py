"""lmlab export RUN format=safetensors|huggingface|word2vec ..., lmlab export SWEEP format=wandb_sweep: for other programs."""

import json
import sys
from pathlib import Path
from typing import Any

from lmlab import config as configuration
from lmlab import values
from lmlab.command import front
from lmlab.exchange.vector_files import NAMES
from lmlab.launcher.find import LATEST, find_sweep, newest_sweep
from lmlab.types import Mistake

OPTIONS: dict[str, Any] = {"format": str, "checkpoint": str, "path": str | None}
FORMATS = ("safetensors", "huggingface", *NAMES, "wandb_sweep")


def main(arguments: list[str]) -> int:
    """The command line of `lmlab export`."""
    flags, words = front.split(arguments, front.COMPOSING)
    name, overrides = front.target(words)
    if (done := front.answer(flags, overrides, verb="export", config_name="export")) is not None:
        return done
    options = configuration.compose(overrides, config_name="export", verb="export")
    values.check_types(options, OPTIONS)
    if options.format not in FORMATS:
        raise Mistake(f"format={options.format} is wrong: expected {', '.join(FORMATS)}")
    path = Path(options.path) if options.path else None
    if options.format == "wandb_sweep":
        return _export_sweep(name, newest_sweep() if name == LATEST else find_sweep(name), path)
    if find_sweep(name) is not None:
        raise Mistake(f"{name} is a sweep, which format=wandb_sweep exports; name one of its runs: lmlab status {name}")
    from lmlab.launcher.find import find_run

    run = find_run(name)
    if options.format == "huggingface":
        from lmlab.command.huggingface import export_folder

        place = export_folder(run, options.checkpoint, path or run.path / "huggingface")
    elif options.format in NAMES:
        place = export_vectors(run, options.checkpoint, options.format, path or run.path / NAMES[options.format])
    else:
        place = export(run, options.checkpoint, path or run.path / "weights.safetensors")
    sys.stdout.write(f"{place}\n")
    return 0


def _export_sweep(name: str, sweep: Path | None, path: Path | None) -> int:
    if sweep is None:
        raise Mistake(f"format=wandb_sweep exports a sweep, and {name} is none; lmlab status lists them")
    from lmlab.launcher.wandb_sweep import export_sweep

    for place in export_sweep(sweep, path):
        sys.stdout.write(f"{place}\nwandb sweep {place}   makes it at W&B and prints the agents' command\n")
    return 0


def export_vectors(run: Any, which: str, format: str, path: Path) -> Path:
    """Writes the words of a run and their vectors, the most frequent first."""
    from lmlab.command.load import load_run
    from lmlab.command.word_vectors import Lookup
    from lmlab.exchange.vector_files import write

    lookup = Lookup.of(load_run(str(run.path), which))
    kept = list(lookup.ids.values())
    write(path, list(lookup.ids), lookup.vectors[kept].numpy(), format=format, counts=lookup.counts)
    return path


def export(run: Any, which: str, path: Path) -> Path:
    """Writes every tensor of a checkpoint under its name, a tied one under each of its names, and the configuration beside."""
    from safetensors.torch import save_file

    from lmlab.command.load import weights_of

    weights = {name: tensor.clone().contiguous() for name, tensor in weights_of(run, which).items()}
    about = {"format": "pt", "run": run.id, "checkpoint": which, "config": json.dumps(run.config)}
    beside = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(weights, beside, metadata=about)
        beside.replace(path)
    except OSError as error:
        raise Mistake(
            f"path={path} cannot be written ({error.strerror or error}); set path to another place"
        ) from error
    return path
