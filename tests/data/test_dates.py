"""Worded dates: one meaning each, held-out days, the same everywhere."""

from datetime import date, timedelta

import pytest

from lmlab.data.dates import CASES, SHORT_YEARS, WORDINGS, Dates, wordings
from lmlab.examples import SourceTarget
from lmlab.types import SPLITS, Mistake, Source

SIZES = {"num_train": 900, "num_val": 70, "num_test": 50}


def test_every_example_is_a_date_and_no_day_stands_in_two_splits():
    source = Dates(**SIZES, seed=1)
    assert isinstance(source, Source)
    days = {split: {date.fromisoformat(one.targets[0]) for one in source.read(split)} for split in SPLITS}
    assert [len(days[split]) for split in SPLITS] == [900, 70, 50]
    assert len(set.union(*days.values())) == 900 + 70 + 50


def test_more_examples_than_days_are_worded_again_within_their_split():
    source = Dates(num_train=1, num_val=1, num_test=9000, seed=1)
    test = list(source.read("test"))
    days = {one.targets for one in test}
    assert 7000 < len(days) < 7600
    assert len({one.source for one in test}) > len(days)
    assert next(source.read("train")).targets not in days


def test_the_first_examples_are_these_on_every_machine_and_python():
    assert [next(Dates(**SIZES, seed=1).read(split)) for split in SPLITS] == [
        SourceTarget("nov 18th 1967", ("1967-11-18",)),
        SourceTarget("September 1st, 1941", ("1941-09-01",)),
        SourceTarget("14.iii.1941", ("1941-03-14",)),
    ]


def test_the_seed_and_the_sizes_are_in_the_fingerprint():
    made = Dates(**SIZES, seed=1).fingerprint()
    assert made == Dates(**SIZES, seed=1).fingerprint()
    assert made != Dates(**SIZES, seed=2).fingerprint()
    assert made != Dates(**SIZES | {"num_test": 51}, seed=1).fingerprint()


def test_no_wording_means_two_days():
    meanings: dict[str, date] = {}
    starts = [date(1900, 1, 1), date(1968, 1, 1), date(1999, 12, 1), date(2003, 1, 1), date(2067, 1, 1)]
    for day in (start + timedelta(days=number) for start in starts for number in range(800)):
        for wording in wordings(day):
            for case in set(CASES):
                assert meanings.setdefault(case(wording), day) == day


@pytest.mark.parametrize(
    ("day", "has", "lacks"),
    [
        (
            date(1998, 3, 21),
            ["Saturday, 21 March 1998", "21/03/98", "03/21/1998", "the twenty-first of March 1998"],
            [],
        ),
        (date(2021, 5, 3), ["the 3rd of May, 2021", "May the third, 2021", "3.V.2021", "20210503"], ["03/05/2021"]),
        (date(1970, 3, 5), ["Mar 5th 1970", "5 Mar '70", "1970/03/05"], ["5.3.1970", "3-5-1970"]),
        (date(1912, 12, 12), ["12/12/1912", "12th December 1912"], ["12/12/12", "12 Dec '12"]),
        (date(2000, 2, 11), ["11th February 2000", "11 Feb '00"], ["11st February 2000"]),
    ],
)
def test_a_day_has_the_wordings_that_are_clear(day, has, lacks):
    assert set(has) <= set(wordings(day))
    assert not set(lacks) & set(wordings(day))


def test_every_wording_is_used():
    assert len(wordings(date(SHORT_YEARS[0], 7, 31))) == len(WORDINGS)


def test_a_split_without_examples_is_refused():
    with pytest.raises(Mistake, match=r"data\.num_val=0"):
        Dates(**SIZES | {"num_val": 0}, seed=1)
