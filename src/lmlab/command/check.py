"""lmlab check: what a command would do, without doing it: every value with its origin, the size, the cost, the plan."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from lmlab import config as configuration
from lmlab.command import front
from lmlab.types import Source, Split
from lmlab.values import shown

HELD_OUT: tuple[Split, ...] = ("val", "test")


def main(arguments: list[str]) -> int:
    """The command line of `lmlab check`, which is that of `lmlab train`."""
    flags, overrides = front.split(arguments, front.COMPOSING)
    if overrides[:1] == ["train"]:
        overrides = overrides[1:]
    if (done := front.answer(flags, overrides, verb="check")) is not None:
        return done
    if flags.multirun or any(override.startswith("sweep=") for override in overrides):
        from lmlab.launcher.estimate import estimate

        sys.stdout.write(estimate(overrides))
        return 0
    config = configuration.compose(overrides, verb="check")
    typed = configuration.plain(config)
    from lmlab.command.experiment import resolve
    from lmlab.command.rehearse import rehearse

    experiment = resolve(config)
    rehearse(experiment)
    origins = origin_lines(configuration.plain(experiment.config), typed, overrides)
    lines = [*origins, "", *plan(experiment), *leaks(experiment.source)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def origin_lines(config: dict[str, Any], typed: dict[str, Any], overrides: Sequence[str]) -> Iterator[str]:
    """Every value and what set it."""
    from lmlab.command.origin import leaves, origins

    known = origins(overrides)
    for key in (leaf for leaf in leaves(config) if not leaf.endswith("._partial_")):
        value, before = _at(config, key), _at(typed, key)
        origin = known.get(key, "this machine" if before is None else "")
        if value != before:
            origin = f"{shown(before)} of {origin} on this machine and data"
        yield f"{key:<40} {shown(value):<44} {origin}"


def _at(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def plan(experiment: Any) -> Iterator[str]:
    """Size, cost and length."""
    from lmlab.command.volume import volume

    cost = experiment.kind.cost(experiment)
    memory = cost.memory
    steps, batching = experiment.horizon.total_steps, experiment.batching
    held = volume(experiment)
    yield f"parameters        {cost.parameters:,}"
    if cost.flops is not None:
        yield f"training FLOPs    {cost.flops:,.0f} per token, {cost.flops * steps * held.tokens:.2e} in all"
    yield (
        f"memory            {memory.total / 2**20:,.0f} MiB: weights {memory.weights / 2**20:,.0f}, gradients "
        f"{memory.gradients / 2**20:,.0f}, optimizer {memory.optimizer / 2**20:,.0f}, activations of one pass "
        f"{memory.activations / 2**20:,.0f}"
    )
    passes, trainer = experiment.share.num_micro, experiment.config.trainer
    epochs = steps / experiment.horizon.steps_per_epoch
    if held.examples is None:
        yield f"steps             {steps:,} of {batching.size} x {batching.seq_len} tokens, in {passes} pass(es)"
        yield f"tokens            {steps * held.tokens:,.0f}, {epochs:.2f} epochs of {len(experiment.arrays.train):,}"
    else:
        each = f"{held.tokens / held.rows:,.1f} tokens (frames, of speech) each, {held.padding:.0%} padding beside"
        yield f"steps             {steps:,} of {held.rows:,.1f} examples, {each}, in {passes} pass(es)"
        yield f"tokens            {steps * held.tokens:,.0f}, {epochs:.2f} epochs of {held.examples:,} examples"
    yield f"device            {trainer.accelerator}, {trainer.precision}, {trainer.threads} threads"
    if experiment.has_ranks:
        strategy = configuration.class_of(experiment.config, "strategy").__name__
        rows, pieces = experiment.share.micro_size, ""
        if experiment.is_sharded:
            pieces = "; weights, gradients and optimizer in pieces (memory is that of the whole)"
        yield f"ranks             {experiment.num_ranks}, {strategy}, {rows} sequences of a pass on each{pieces}"


def leaks(source: Source) -> Iterator[str]:
    """Of each held-out split how much of it stands in the training split too; recordings are not compared."""
    from lmlab.analysis.overlap import overlap
    from lmlab.examples import Speech

    if source.example is Speech:
        return
    for split in HELD_OUT:
        found = overlap(source.read("train"), source.read(split))
        if found.total:
            such = f", such as {found.example[:60]!r}" if found.num else ""
            share = f"{found.num:,} of {found.total:,} examples ({found.num / found.total:.1%})"
            yield f"overlap           {share} of {split} stand in train too{such}"
