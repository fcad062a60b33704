import pytest

from lmlab.budget.width import fit_width
from lmlab.types import Mistake


class Counted:
    def __init__(self, size):
        self.size, self.calls = size, 0

    def __call__(self, dim, hidden):
        self.calls += 1
        return self.size(dim, hidden)


def transformer(dim, hidden):
    return 2048 * dim + 6 * (4 * dim * dim + 2 * dim * (4 * dim if hidden is None else hidden) + 2 * dim)


def recurrent(dim, hidden):
    return 2048 * dim + 2048 + 2 * (8 * dim * dim + 8 * dim)


@pytest.mark.parametrize("multiple_of", [1, 8, 64])
@pytest.mark.parametrize("target", [300_000, 1_000_000, 5_000_000, 125_000_000, 1_000_000_000])
def test_a_feedforward_takes_up_the_rest_to_within_one_percent(target, multiple_of):
    build = Counted(transformer)
    width = fit_width(build, target, multiple_of=multiple_of)
    assert width.dim % multiple_of == 0
    assert abs(width.mismatch) <= 0.01
    assert transformer(width.dim, width.hidden) == round(target * (1 + width.mismatch))
    assert build.calls <= 12


@pytest.mark.parametrize("target", [50_000, 300_000, 5_000_000, 125_000_000])
def test_without_a_feedforward_it_is_the_nearest_dim(target):
    build = Counted(recurrent)
    width = fit_width(build, target, multiple_of=1)
    assert width.hidden is None
    distance = {dim: abs(recurrent(dim, None) - target) for dim in range(max(1, width.dim - 3), width.dim + 4)}
    assert min(distance, key=distance.get) == width.dim
    assert build.calls <= 14


def test_a_mismatch_that_cannot_be_helped_is_returned():
    assert fit_width(recurrent, 5_000_000, multiple_of=64).mismatch == pytest.approx(0.050624)


def test_a_size_that_is_found_exactly_has_no_mismatch():
    width = fit_width(transformer, transformer(128, None), multiple_of=8)
    assert (width.dim, width.hidden, width.mismatch) == (128, 512, 0.0)


def test_a_size_below_the_smallest_model_is_refused():
    with pytest.raises(Mistake, match=r"model\.params=5,000 is too small"):
        fit_width(transformer, 5_000, multiple_of=64)
