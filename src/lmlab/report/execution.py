"""Sweeps over how a step is computed, not what it is: beside the metric, what it cost, and whether the losses are equal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lmlab.report.job import Job, ordered, varied_keys

KEYS = (
    "strategy", "trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.precision", "trainer.compile",
    "trainer.threads", "trainer.activation_checkpointing", "trainer.deterministic", "batch.micro_size",
    "batch.num_workers",
)  # fmt: skip

DIFFERENCE = "train_loss_difference"

FIGURES = ("tokens_per_second", "memory_gb", DIFFERENCE)

MEANINGS = {
    "tokens_per_second": "speed: tokens_per_second is of all ranks together, the median over training",
    "memory_gb": "memory: memory_gb is per rank, the most that the first held, in GiB of its GPU, else of its process",
    DIFFERENCE: f"equality: {DIFFERENCE} is the largest difference of train/loss at any logged step from the first such job "
    "of the seed",
}


def is_execution(key: str) -> bool:
    """Whether a key changes how steps are computed, and at most by rounding what comes out."""
    return key in KEYS or key.startswith("strategy.")


def figures_for(jobs: Sequence[Job]) -> tuple[str, ...]:
    """What a table shows beside its metric."""
    return FIGURES if any(map(is_execution, varied_keys(jobs))) else ()


def compared(jobs: Sequence[Job]) -> list[Job]:
    """Each job with its difference from the first that has the same seed and the same of all that is no execution key."""
    if not figures_for(jobs):
        return list(jobs)
    others = [key for key in varied_keys(jobs) if not is_execution(key)]
    first: dict[tuple[object, ...], Mapping[int, float]] = {}
    found = []
    for job in ordered(jobs):
        own = losses(job)
        reference = first.setdefault((job.seed, job.label(others)), own)
        common = own.keys() & reference.keys()
        difference = max((abs(own[step] - reference[step]) for step in common), default=None)
        found.append(job if difference is None else replace(job, derived={DIFFERENCE: difference}))
    return found


def losses(job: Job) -> dict[int, float]:
    """train/loss by step."""
    lines = job.run.metrics() if job.run is not None and job.state == "done" else ()
    return {int(line["step"]): float(line["train/loss"]) for line in lines if "train/loss" in line}
