"""Optuna by ask and tell (Akiba et al. 2019): proposals, and whether a trial under way is hopeless; kept in one journal file.

Samplers: random; TPE (Bergstra et al. 2011); CMA-ES (Hansen and Ostermeier 2001); Gaussian processes; NSGA-II (Deb et al.
2002). Pruners: median (Golovin et al. 2017); ASHA (Li et al. 2020); Hyperband (Li et al. 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState

from lmlab.types import Mistake

FILE = "study.journal"

ETA = 3
"""What ASHA and Hyperband divide the trials by at every rung."""

JOBS, PROMOTES = "jobs", "promotes"
"""What is kept with a trial: the numbers of its jobs; the trial that it continues."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`."""

    low: float
    high: float
    is_log: bool
    is_int: bool


class Study:
    """One search, in `<folder>/study.journal`; what another process left there is gone on with.

    Args:
        kind: random, tpe, cmaes, gp or nsga2.
        pruner: median, asha, hyperband or None.
        directions: minimize or maximize, one per objective.
        dimensions: by key, values as they would be typed, or a Range.
        seed: of the sampler.
        first_step: the first step at which a trial is measured.
        total_steps: the last one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kind: str,
        pruner: str | None,
        directions: Sequence[Literal["minimize", "maximize"]],
        dimensions: Mapping[str, Sequence[str] | Range],
        seed: int,
        first_step: int,
        total_steps: int,
    ) -> None:
        if pruner is not None and len(directions) > 1:
            raise Mistake(f"sweep.pruner={pruner}: a trial of several objectives is not pruned; set sweep.pruner=null")
        if not dimensions:
            raise Mistake(f"sweep.search={kind} has nothing to search; give a key several values or an interval")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = str(folder / FILE)
        storage = JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
        self.distributions = {key: _distribution(values) for key, values in dimensions.items()}
        self.kind_of_pruner = pruner
        self._study = optuna.create_study(
            study_name="sweep",
            storage=storage,
            directions=list(directions),
            load_if_exists=True,
            pruner=_pruner(pruner, first_step, total_steps),
        )
        # A sampler that begins anew with the same seed would propose again what it proposed before.
        self._study.sampler = _sampler(kind, seed + len(self._study.trials))
        self._open = {one.number: Trial(self._study, one._trial_id) for one in self._all(TrialState.RUNNING)}

    def _all(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)

    @property
    def num_proposed(self) -> int:
        """Trials so far, without those that only continue another."""
        return sum(PROMOTES not in one.user_attrs for one in self._all())

    @property
    def unfinished(self) -> dict[int, list[int]]:
        """The open trials with the numbers of their jobs, none where it was killed before they were made."""
        return {number: list(trial.user_attrs.get(JOBS, [])) for number, trial in self._open.items()}

    def values(self, number: int) -> dict[str, str]:
        """What an open trial proposes, each value as it would be typed."""
        return {key: _typed(value) for key, value in self._open[number].params.items()}

    def ask(self) -> int:
        """A new trial's number."""
        trial = self._study.ask(self.distributions)
        self._open[trial.number] = trial
        return trial.number

    def keep_jobs(self, number: int, jobs: Sequence[int]) -> None:
        """The jobs that compute the trial."""
        self._open[number].set_user_attr(JOBS, list(jobs))

    def is_hopeless(self, number: int, step: int, value: float) -> bool:
        """Reports a figure of an open trial at a step, and asks the pruner."""
        trial = self._open[number]
        known = self._study._storage.get_trial(trial._trial_id).intermediate_values
        if step not in known:
            trial.report(value, step)
            return bool(trial.should_prune())
        return False

    def tell(self, number: int, values: Sequence[float] | None) -> None:
        """The trial's figures; None: it failed."""
        trial = self._open.pop(number)
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
        self._study.tell(trial, None if values is None else list(values), state=state)

    def tell_pruned(self, number: int) -> None:
        """The trial was stopped early; it cannot be told again, so its promotion will be a trial of its own."""
        self._study.tell(self._open.pop(number), state=TrialState.PRUNED)

    def promote(self) -> tuple[int, list[int]] | None:
        """ASHA's second chance: a pruned trial that is by now among the best at its rung, as a new trial with its jobs."""
        pruned = self._promotable() if self.kind_of_pruner == "asha" else None
        if pruned is None:
            return None
        self._study.enqueue_trial(pruned.params, user_attrs={PROMOTES: pruned.number})
        trial = self._study.ask(self.distributions)
        for step, value in sorted(pruned.intermediate_values.items()):
            trial.report(value, step)
            trial.should_prune()  # so that the pruner knows the rungs that it has passed
        self._open[trial.number] = trial
        jobs = list(pruned.user_attrs.get(JOBS, []))
        self.keep_jobs(trial.number, jobs)
        return trial.number, jobs

    def _promotable(self) -> FrozenTrial | None:
        promoted = {one.user_attrs.get(PROMOTES) for one in self._all()}
        sign = 1 if self._study.direction == optuna.study.StudyDirection.MINIMIZE else -1
        for one in self._all(TrialState.PRUNED):
            rungs = _rungs(one)
            if not rungs or one.number in promoted:
                continue
            highest = max(rungs)
            at_rung = sorted(sign * found[highest] for other in self._all() if highest in (found := _rungs(other)))
            best = len(at_rung) // ETA
            if best and sign * rungs[highest] <= at_rung[best - 1]:
                return one
        return None


def _rungs(trial: FrozenTrial) -> dict[int, float]:
    """The rungs that Optuna's pruner has seen the trial at, with its figure there."""
    prefix = "completed_rung_"
    return {
        int(name.removeprefix(prefix)): float(value)
        for name, value in trial.system_attrs.items()
        if name.startswith(prefix)
    }


def _distribution(values: Sequence[str] | Range) -> BaseDistribution:
    if not isinstance(values, Range):
        return CategoricalDistribution(list(values))
    if values.is_int:
        return IntDistribution(int(values.low), int(values.high), log=values.is_log)
    return FloatDistribution(values.low, values.high, log=values.is_log)


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _sampler(kind: str, seed: int) -> BaseSampler:
    if kind == "random":
        return RandomSampler(seed=seed)
    if kind == "tpe":
        return TPESampler(seed=seed, constant_liar=True)  # trials run side by side
    if kind == "cmaes":
        return CmaEsSampler(seed=seed)
    if kind == "gp":
        return GPSampler(seed=seed)
    assert kind == "nsga2", kind
    return NSGAIISampler(seed=seed)


def _pruner(kind: str | None, first_step: int, total_steps: int) -> BasePruner:
    if kind is None:
        return NopPruner()
    if kind == "median":
        return MedianPruner()
    if kind == "asha":
        return SuccessiveHalvingPruner(min_resource=first_step, reduction_factor=ETA)
    assert kind == "hyperband", kind
    return HyperbandPruner(min_resource=first_step, max_resource=total_steps, reduction_factor=ETA)
