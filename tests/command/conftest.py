"""What the tests of several tasks ask of a run."""

import pytest

from lmlab.report.corpus_comparison import SCORES


@pytest.fixture(scope="session")
def adds_up():
    """The figures of a split that follow from what a run keeps by example, each checked."""

    def check(run, split="test"):
        kept = run.examples(split)
        for name, (function, taken) in kept.scores.items():
            sums = kept.sums[:, [kept.statistics.index(one) for one in taken]].sum(axis=0, keepdims=True)
            assert SCORES[function](sums)[0] == pytest.approx(run.summary[f"{split}/{name}"], rel=1e-5), name
        return kept.kind, {*kept.scores}

    return check
