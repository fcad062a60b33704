"""The job table of a sweep, `sweep.sqlite`: one row a job. The process that runs the sweep writes it; anybody reads it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lmlab.report.job import Job
from lmlab.run.folder import RunFolder
from lmlab.types import Mistake

State = Literal["queued", "running", "done", "failed", "pruned"]

STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "pruned")

FILE = "sweep.sqlite"

SCHEMA = """
create table if not exists job (
  number integer primary key,
  identity text not null unique,
  varied text not null,
  seed integer,
  overrides text not null,
  trial integer,
  state text not null,
  run text,
  value real,
  attempts integer not null default 0,
  message text not null default ''
)
"""


@dataclass(frozen=True)
class Row:
    """One job, as the table knows it."""

    identity: str
    varied: Mapping[str, Any]
    """What the sweep varies, by key, without the seed."""
    seed: int | None
    overrides: Sequence[str]
    """The command line that would train it alone."""
    trial: int | None = None
    """Of a search: jobs of one trial differ in their seed alone."""
    number: int = 0
    state: State = "queued"
    run: str | None = None
    """The run's folder, below the sweep's."""
    value: float | None = None
    """The figure that the sweep compares."""
    attempts: int = 0
    message: str = field(default="")
    """Why it failed."""

    def label(self) -> str:
        """What makes it different, for people."""
        own = [f"{key}={value}" for key, value in self.varied.items()]
        return " ".join([*own, *([f"seed={self.seed}"] if self.seed is not None else [])]) or "the job"


class Table:
    """The rows of one sweep's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def make(self) -> None:
        """The file, if there is none."""
        with self._open() as base:
            base.execute(SCHEMA)

    def rows(self, state: State | None = None) -> list[Row]:
        """All jobs, or those in one state, by number."""
        with self._open(is_read_only=True) as base:
            found = base.execute("select * from job order by number").fetchall()
        rows = [_row(dict(values)) for values in found]
        return [row for row in rows if state is None or row.state == state]

    def add(self, rows: Sequence[Row]) -> list[Row]:
        """Adds the jobs whose identity is not there yet; all of these identities, with their numbers."""
        with self._open() as base:
            for row in rows:
                base.execute(
                    "insert or ignore into job (identity, varied, seed, overrides, trial, state) values (?,?,?,?,?,?)",
                    (
                        row.identity,
                        json.dumps(row.varied),
                        row.seed,
                        json.dumps(list(row.overrides)),
                        row.trial,
                        row.state,
                    ),
                )
        known = {row.identity: row for row in self.rows()}
        return [known[row.identity] for row in rows]

    def change(self, number: int, **values: Any) -> None:
        """Sets columns of one job."""
        assert values.keys() <= {"state", "run", "value", "attempts", "message", "trial"}
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._open() as base:
            base.execute(f"update job set {columns} where number = ?", (*values.values(), number))

    @contextmanager
    def _open(self, *, is_read_only: bool = False) -> Iterator[sqlite3.Connection]:
        if is_read_only and not self.path.exists():
            raise Mistake(f"{self.path.parent} holds no sweep")
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as base, base:
                base.row_factory = sqlite3.Row
                yield base
        except sqlite3.OperationalError as error:
            raise OSError(f"the job table {self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise Mistake(
                f"{self.path} is damaged ({error}); delete it, and the same command builds it again"
            ) from error


def _row(values: dict[str, Any]) -> Row:
    return Row(**{**values, "varied": json.loads(values["varied"]), "overrides": json.loads(values["overrides"])})


def jobs_of(folder: Path) -> list[Job]:
    """The rows of a sweep's table with their run folders, as reports read them."""
    return [
        Job(
            number=row.number,
            varied=row.varied,
            seed=row.seed,
            state=row.state,
            run=None if row.run is None else RunFolder(folder / row.run),
        )
        for row in Table(folder).rows()
    ]
