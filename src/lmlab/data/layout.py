"""How a table is written: which columns hold text and label, and what stands between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmlab.data.document import check_encoding
from lmlab.data.form import Column, Form
from lmlab.types import Mistake


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Of one file; `None` is explained in conf/data/table.yaml and conf/data/labelled_files.yaml."""

    text: Column | Sequence[Column]
    label: Column | None
    join: str | None
    label_separator: str | None
    format: str
    separator: str | None
    quoting: bool | None
    header: bool
    encoding: str
    columns: int | None = None
    """Only so many: the last one holds the rest of the line."""
    label_until: str | None = None
    """Where a label ends."""
    label_names: Mapping[str, str] | None = None
    """What the labels of the file mean; it has no others."""
    replace: Sequence[Sequence[str]] | None = None
    """Pairs of what stands in a text and what it stands for, applied one after the other."""

    @property
    def texts(self) -> tuple[Column, ...]:
        """The columns of text."""
        return (self.text,) if isinstance(self.text, str | int) else tuple(self.text)

    def check(self, on_error: str) -> None:
        """Refuse what cannot be read, before there are files."""
        check_encoding(self.encoding, on_error, ("strict", "skip"))
        if self.label is None or self.label == "":
            raise Mistake("data.label=null leaves nothing to learn; set data.label to the column of the labels")
        if not self.texts or "" in self.texts:
            raise Mistake("data.text is empty; set data.text to the column of the texts, or to two for pairs")
        if self.join is None and len(self.texts) > 2:
            raise Mistake(
                f"data.text={shown(self.texts)} are {len(self.texts)} columns: one is a text, two are a pair; "
                'set data.join=" " to make one text of them'
            )
        if self.label in self.texts:
            raise Mistake(f"data.label={self.label} is a column of data.text; set data.label to another")
        if self.label_separator == "":
            raise Mistake(
                "data.label_separator is empty; set data.label_separator to what stands between labels, or null"
            )
        self.form.check(self.columns_read)

    @property
    def form(self) -> Form:
        """How the file is written."""
        return Form(
            format=self.format,
            separator=self.separator,
            quoting=self.quoting,
            header=self.header,
            names=None,
            columns=self.columns,
            key="data",
        )

    @property
    def columns_read(self) -> list[tuple[str, Column]]:
        """Every column that is read, the label's last, with its key."""
        assert self.label is not None, "check has refused it"
        return [*(("data.text", column) for column in self.texts), ("data.label", self.label)]


def shown(columns: Sequence[Column]) -> str:
    """Columns as one types them."""
    return f"[{','.join(map(str, columns))}]"
