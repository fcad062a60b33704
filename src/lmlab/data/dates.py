"""Dates as people word them, with their ISO 8601 form: a translation that needs no file and has one right answer.

Every example follows from a hash of the seed and its number, so that all machines and Pythons have the same. Days are of
1900 to 2099. No wording has two meanings: where numbers alone stand for day and month, the day is above 12 or equals the
month, and a year of two digits is one of 1969 to 2068, as in POSIX strptime.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from functools import cached_property

from lmlab.data.portion import split_of
from lmlab.examples import SourceTarget
from lmlab.types import SPLITS, Mistake, Split

FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
SHORT_YEARS = range(1969, 2069)
"""A year of two digits is one of these."""

HELD_OUT = {"val": 0.1, "test": 0.1}
"""Of all days, by a hash: these are worded in no other split."""

MONTHS = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]  # fmt: skip
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
FIRST_DAYS = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
    "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
]  # fmt: skip
SPOKEN = [
    *FIRST_DAYS,
    *(f"twenty-{day}" for day in FIRST_DAYS[:9]),
    "thirtieth",
    "thirty-first",
]

WORDINGS = (
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "{weekday} the {ordinal} of {month}, {year}",
    "{abbreviated_weekday} {day} {abbreviated_month} {year}",
    "{abbreviated_weekday}, {abbreviated_month} {ordinal} {year}",
    "the {ordinal} of {month}, {year}",
    "the {ordinal} of {month} {year}",
    "the {spoken} of {month} {year}",
    "{month} the {spoken}, {year}",
    "{ordinal} {month} {year}",
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{month} {ordinal}, {year}",
    "{month} {day} {year}",
    "{abbreviated_month} {ordinal} {year}",
    "{abbreviated_month}. {day}, {year}",
    "{day}-{abbreviated_month}-{year}",
    "{padded_day}{abbreviated_month}{year}",
    "{year}, {month} {day}",
    "{year} {abbreviated_month} {padded_day}",
    "{day} {abbreviated_month} '{short_year}",
    "{day}-{abbreviated_month}-{short_year}",
    "{month} {ordinal}, '{short_year}",
    "{day}.{roman}.{year}",
    "{day} {roman} {year}",
    "{year}/{padded_number}/{padded_day}",
    "{year}.{number}.{day}",
    "{year}{padded_number}{padded_day}",
    "{padded_day}/{padded_number}/{year}",
    "{padded_number}/{padded_day}/{year}",
    "{day}.{number}.{year}",
    "{number}-{day}-{year}",
    "{padded_day}/{padded_number}/{short_year}",
    "{padded_number}/{padded_day}/{short_year}",
    "{day}.{number}.{short_year}",
)
CASES = (str, str, str.lower, str.upper)
"""Most are written as in a book."""


class Dates:
    """`num_train`, `num_val` and `num_test` days, each in one of many wordings; no day stands in two splits."""

    example = SourceTarget

    def __init__(self, *, num_train: int, num_val: int, num_test: int, seed: int) -> None:
        self._sizes: dict[Split, int] = {"train": num_train, "val": num_val, "test": num_test}
        self._seed = seed
        for split, size in self._sizes.items():
            if size < 1:
                raise Mistake(f"data.num_{split}={size} leaves no example for {split}; set it to 1 or more")

    def fingerprint(self) -> str:
        rows = [[one.source, *one.targets] for split in SPLITS for one in self.read(split)]
        return hashlib.sha256(json.dumps([rows, list(self._sizes.values())]).encode()).hexdigest()

    def read(self, split: Split) -> Iterator[SourceTarget]:
        """All days of the split in an order drawn by the seed; those of more examples than days stand there again."""
        days = self._days[split]
        for number in range(self._sizes[split]):
            day = days[number % len(days)]
            yield SourceTarget(worded(day, self._draw(f"{split} {number}")), (day.isoformat(),))

    @cached_property
    def _days(self) -> dict[Split, list[date]]:
        """Every day in its split, in the order of a hash."""
        found: dict[Split, list[date]] = {split: [] for split in SPLITS}
        days = [date.fromordinal(number) for number in range(FIRST.toordinal(), LAST.toordinal() + 1)]
        for day in sorted(days, key=lambda day: self._draw(day.isoformat())):
            found[split_of(f"{self._seed} {day.isoformat()}", HELD_OUT)].append(day)
        return found

    def _draw(self, name: str) -> int:
        """A number of 256 bits."""
        return int.from_bytes(hashlib.sha256(f"{self._seed} {name}".encode()).digest())


def worded(day: date, draw: int) -> str:
    """One of the wordings that the day has."""
    choices = wordings(day)
    draw, choice = divmod(draw, len(choices))
    return CASES[draw % len(CASES)](choices[choice])


def wordings(day: date) -> list[str]:
    """All that mean this day and no other."""
    values = _values(day)
    return [wording.format(**values) for wording in WORDINGS if _is_clear(wording, day)]


def _is_clear(wording: str, day: date) -> bool:
    """Whether nobody could take it for another day."""
    if "{short_year}" in wording and day.year not in SHORT_YEARS:
        return False
    is_ordered = "number}" not in wording or wording.startswith("{year}")
    return is_ordered or day.day > len(MONTHS) or day.day == day.month


def _values(day: date) -> dict[str, str]:
    """The words of a day, in English whatever the locale."""
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(0 if day.day in (11, 12, 13) else day.day % 10, "th")
    return {
        "day": str(day.day),
        "padded_day": f"{day.day:02}",
        "ordinal": f"{day.day}{ending}",
        "spoken": SPOKEN[day.day - 1],
        "month": month,
        "abbreviated_month": month[:3],
        "roman": ROMAN[day.month - 1],
        "number": str(day.month),
        "padded_number": f"{day.month:02}",
        "weekday": weekday,
        "abbreviated_weekday": weekday[:3],
        "year": str(day.year),
        "short_year": f"{day.year % 100:02}",
    }
