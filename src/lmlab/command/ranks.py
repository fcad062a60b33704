"""The ranks of one run: started with its configuration in a file, and what they compare before the first step."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lmlab
from lmlab import config as configuration
from lmlab.command.experiment import Experiment
from lmlab.run.folder import RunFolder
from lmlab.strategy.agreement import code_hash
from lmlab.strategy.nodes import Nodes
from lmlab.strategy.processes import run_ranks
from lmlab.types import Mistake

FIRST_STEPS = 2

OF_A_MACHINE = ("output_dir", "cache_dir", "trainer.threads")
"""What machines of one run may say differently; the first one's counts."""


def train_in_ranks(experiment: Experiment, run: RunFolder, checkpoint: Path | None, nodes: Nodes | None = None) -> None:
    """Trains in one process per device; this one holds the run's lock, and waits."""
    folder = run.path / "ranks"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    RunFolder(folder).write_config(configuration.plain(experiment.config))
    arguments = [str(folder / "config.yaml"), *([] if checkpoint is None else [str(checkpoint)])]
    if nodes is not None:
        nodes.tell(arguments=[str(Path(word).absolute()) for word in arguments])
    _run(arguments, experiment, folder, nodes)


def _run(arguments: Sequence[str], experiment: Experiment, folder: Path, nodes: Nodes | None) -> None:
    trainer = experiment.config.trainer
    run_ranks(arguments, num=trainer.devices, threads=trainer.threads, folder=folder, nodes=nodes)


def follow(experiment: Experiment, nodes: Nodes) -> RunFolder:
    """Trains, with this machine's devices, what the first machine has made a run of.

    Raises:
        Mistake: where that is another experiment, or its folder is not seen from here.
    """
    told = nodes.told()
    if "finished" in told:
        return RunFolder(Path(told["finished"]))
    arguments: list[str] = told["arguments"]
    path = Path(arguments[0])
    if not path.exists():
        raise Mistake(
            f"{path.parent}, which the first machine has made, is not seen here; "
            "set output_dir to a folder that all machines share"
        )
    theirs, ours = (dict(flat(configuration.plain(one))) for one in (configuration.stored(path), experiment.config))
    different = [name for name in dict.fromkeys([*theirs, *ours]) if theirs.get(name) != ours.get(name)]
    different = [name for name in different if not name.startswith(OF_A_MACHINE)]
    if different:
        name = different[0]
        raise Mistake(
            f"{name} is {ours.get(name, 'not set')} here and {theirs.get(name, 'not set')} on the first machine; "
            "start the same command on all of them"
        )
    _run(arguments, experiment, path.parent, nodes)
    nodes.end(None)
    nodes.wait_for_others()  # the first rank is writing the result
    return RunFolder(path.parents[1])


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
