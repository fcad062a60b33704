"""Optuna by ask and tell."""

import pytest

from lmlab.search.study import Range, Study
from lmlab.types import Mistake

SPACE = {
    "optimizer.lr": Range(1e-5, 1e-1, is_log=True, is_int=False),
    "model.dim": Range(8.0, 64.0, is_log=False, is_int=True),
}


def study(folder, **changes):
    settings = {
        "kind": "tpe", "pruner": None, "directions": ["minimize"], "dimensions": SPACE, "seed": 3, "first_step": 1,
        "total_steps": 9,
    }  # fmt: skip
    return Study(folder, **{**settings, **changes})


@pytest.mark.parametrize("kind", ["random", "tpe", "cmaes", "gp", "nsga2"])
def test_every_sampler_proposes_values_of_the_space(tmp_path, kind):
    found = study(tmp_path, kind=kind, dimensions={**SPACE, "model": ["lstm", "gru"]})
    for value in range(4):
        trial = found.ask()
        values = found.values(trial)
        assert 1e-5 <= float(values["optimizer.lr"]) <= 1e-1
        assert 8 <= int(values["model.dim"]) <= 64
        assert values["model"] in ("lstm", "gru")
        found.tell(trial, [float(value)])
    assert found.num_proposed == 4


def test_a_study_goes_on_in_another_process_without_proposing_the_same_again(tmp_path):
    first = study(tmp_path, kind="random")
    done, under_way = first.ask(), first.ask()
    first.keep_jobs(under_way, [7])
    proposed = [first.values(done), first.values(under_way)]
    first.tell(done, [1.0])
    second = study(tmp_path, kind="random")
    assert second.unfinished == {under_way: [7]}
    assert second.values(under_way) == proposed[1]
    assert second.values(second.ask()) not in proposed


def test_pruning_with_several_objectives_is_refused(tmp_path):
    with pytest.raises(Mistake, match="several objectives"):
        study(tmp_path, pruner="median", directions=["minimize", "maximize"])


def test_nothing_to_search_is_refused(tmp_path):
    with pytest.raises(Mistake, match="nothing to search"):
        study(tmp_path, dimensions={})


def test_a_trial_worse_than_the_median_is_hopeless(tmp_path):
    found = study(tmp_path, pruner="median")
    for value in range(5):  # Optuna leaves the first five alone
        trial = found.ask()
        assert not found.is_hopeless(trial, 1, float(value))
        found.tell(trial, [float(value)])
    assert found.is_hopeless(found.ask(), 1, 100.0)


def test_asha_promotes_a_stopped_trial_once_it_is_among_the_best_of_its_rung(tmp_path):
    found = study(tmp_path, pruner="asha")
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    stopped = {}
    for value in values:
        trial = found.ask()
        found.keep_jobs(trial, [int(value)])
        stopped[value] = found.is_hopeless(trial, 1, value)
        found.tell_pruned(trial) if stopped[value] else found.tell(trial, [value])
    assert not stopped[1.0]
    assert stopped[2.0]  # one of two: not in the best third
    promoted = found.promote()  # one of six is now two
    assert promoted is not None
    trial, jobs = promoted
    assert jobs == [2]
    assert found.promote() is None
    assert found.num_proposed == 6
    assert not found.is_hopeless(trial, 1, 2.0), "it was measured there before"
