"""What a sweep would do: its jobs with parameters, FLOPs and memory, and the hours that all of them will take here."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lmlab.launcher.plan import Planned

EFFICIENCY = 0.4
"""Of a matrix product's rate that training reaches, as measured for models of 1 to 10 M parameters on a CPU."""

SIZE = 1024


def estimate(overrides: Sequence[str]) -> str:
    """A line a job, then the sum."""
    from lmlab.launcher.sweep import prepared

    ready = prepared(overrides)
    lines = [f"{'job':>5}  {'parameters':>12}  {'FLOPs':>9}  {'memory':>10}  what varies"]
    total = 0.0
    costs: dict[str, tuple[int, float, float]] = {}
    for number, one in enumerate(ready.planned, start=1):
        key = str(one.point.varied)
        if key not in costs:  # another seed costs the same
            cost = one.experiment.kind.cost(one.experiment)
            costs[key] = cost.parameters, (cost.flops or 0.0) * tokens_of(one), cost.memory.total / 2**20
        parameters, flops, mebibytes = costs[key]
        total += flops
        varied = " ".join([one.label, *seed_of(one)])
        lines.append(f"{number:>5}  {parameters:>12,}  {flops:>9.2e}  {mebibytes:>6,.0f} MiB  {varied}")
    if ready.kind is not None:
        trials = ready.base.sweep.num_trials
        total *= trials
        lines.append(f"a search by {ready.kind}: the first point of {trials} trials is shown")
    places = len(ready.places)
    rate = measured_rate() * EFFICIENCY
    lines.append("")
    lines.append(f"sweep folder      {ready.folder}")
    lines.append(f"jobs              {len(ready.planned)}, {places} at once")
    if total:
        lines.append(f"training FLOPs    {total:.2e} in all")
        lines.append(
            f"time              about {hours(total / rate)} of training on this machine, "
            f"at {rate / 1e9:,.0f} GFLOP/s for all jobs"
        )
    return "\n".join(lines) + "\n"


def tokens_of(planned: Planned) -> int:
    """That a job is trained on."""
    from lmlab.command.volume import volume

    experiment = planned.experiment
    return int(experiment.horizon.total_steps * volume(experiment).tokens)


def seed_of(planned: Planned) -> list[str]:
    """The seed as it would be typed, where seeds vary."""
    return [] if planned.seed is None else [f"seed={planned.seed}"]


def measured_rate() -> float:
    """FLOP/s of a float32 matrix product on this machine, with all its cores, in a fifth of a second."""
    import torch

    from lmlab.command.experiment import cores

    torch.set_num_threads(cores())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    left, right = (torch.randn(SIZE, SIZE, device=device) for _ in range(2))
    left @ right
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.2:
        product = left @ right
        count += 1
    float(product[0, 0])  # waits for a GPU
    return 2 * SIZE**3 * count / (time.perf_counter() - start)


def hours(seconds: float) -> str:
    """A span of time, in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
