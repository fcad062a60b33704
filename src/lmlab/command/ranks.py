"""The ranks of one run: started with its configuration in a file, and what they compare before the first step."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lmlab
from lmlab import config as configuration
from lmlab.command.experiment import Experiment
from lmlab.run.folder import RunFolder
from lmlab.strategy.agreement import code_hash
from lmlab.strategy.processes import run_ranks

FIRST_STEPS = 2


def train_in_ranks(experiment: Experiment, run: RunFolder, checkpoint: Path | None) -> None:
    """Trains in one process per device; this one holds the run's lock, and waits."""
    folder = run.path / "ranks"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    RunFolder(folder).write_config(configuration.plain(experiment.config))
    arguments = [str(folder / "config.yaml"), *([] if checkpoint is None else [str(checkpoint)])]
    run_ranks(arguments, num=experiment.num_ranks, threads=experiment.config.trainer.threads, folder=folder)


def facts(experiment: Experiment) -> dict[str, str]:
    """Every value of the configuration, the code, the data, and which tokens the first steps are about."""
    dataset = experiment.batching.train(experiment.arrays.train)
    digest = hashlib.sha256()
    for step in range(FIRST_STEPS):
        for micro in range(experiment.batching.share().num_micro):
            digest.update(dataset[step, micro].inputs.contiguous().numpy().tobytes())
    return {
        **dict(flat(configuration.plain(experiment.config))),
        "the code of lmlab": code_hash(Path(lmlab.__file__).parent),
        "the data": experiment.fingerprint,
        "the first batches": digest.hexdigest()[:16],
    }


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys with their values."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
