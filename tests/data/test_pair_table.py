"""Anyone's tables of texts and targets."""

import json
from pathlib import Path

import pytest

from lmlab import config, values
from lmlab.examples import SourceTarget
from lmlab.types import SPLITS, Mistake, Source


def build(path: Path, *overrides: str) -> Source:
    """As the command line builds it."""
    composed = config.compose(["data=pair_table", f"data.path={path}", *overrides])
    values.check(composed)
    made: Source = config.build(composed, "data")
    return made


def every(source: Source) -> list[SourceTarget]:
    return [one for split in SPLITS for one in source.read(split)]


def written(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def test_columns_have_names_or_numbers_or_are_given_names(tmp_path: Path) -> None:
    rows = "".join(f'"Hello, {number}",Hallo {number},noise\n' for number in range(60))
    named = written(tmp_path / "pairs.csv", "source,target,from\n" + rows)
    bare = written(tmp_path / "bare.csv", rows)
    found = sorted(every(build(named)), key=lambda one: one.source)
    assert found[0] == SourceTarget("Hello, 0", ("Hallo 0",))
    for keys in (["data.source=0", "data.target=1"], ["data.layout.names=[source,target,from]"]):
        assert sorted(every(build(bare, "data.layout.header=false", *keys)), key=lambda one: one.source) == found
    with pytest.raises(Mistake, match=r"data\.source=source is a name, but with data\.layout\.header=false"):
        every(build(bare, "data.layout.header=false"))
    with pytest.raises(
        Mistake, match=r"data\.layout\.names=\['source', 'target'\] are 2, but the first row of .* has 3"
    ):
        every(build(bare, "data.layout.header=false", "data.layout.names=[source,target]"))
    with pytest.raises(Mistake, match=r"data\.target=targets is no column of .*\(but target\); set data\.target"):
        every(build(named, "data.target=targets"))
    with pytest.raises(Mistake, match=r"data\.layout\.names is for files without a header"):
        build(named, "data.layout.names=[a,b,c]")


def test_quotes_are_characters_in_a_tsv_and_a_separator_may_be_typed(tmp_path: Path) -> None:
    rows = "".join(f'"a {number}\tb "{number}\n' for number in range(40))
    assert SourceTarget('"a 0', ('b "0',)) in every(build(written(tmp_path / "pairs.tsv", "source\ttarget\n" + rows)))
    piped = written(tmp_path / "pairs.txt", "source|target\n" + rows.replace("\t", "|"))
    found = every(build(piped, "data.layout.format=csv", "data.layout.separator=|", "data.layout.quoting=false"))
    assert SourceTarget('"a 0', ('b "0',)) in found
    with pytest.raises(Mistake, match=r"data\.layout\.format=auto knows no \.txt"):
        every(build(piped))


def test_several_columns_or_a_list_are_several_targets_and_one_source(tmp_path: Path) -> None:
    rows = [{"source": [f"One {n}.", "Two."], "title": "T", "target": [f"a {n}", "", f"b {n}"]} for n in range(40)]
    path = written(tmp_path / "pairs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert SourceTarget("One 0. Two.", ("a 0", "b 0")) in every(build(path))
    titled = every(build(path, "data.source=[title,source]", "data.join= / "))
    assert SourceTarget("T / One 0. / Two.", ("a 0", "b 0")) in titled
    table = written(tmp_path / "t.tsv", "s\tx\ty\n" + "".join(f"s {n}\tx {n}\t{'y' * (n % 2)}\n" for n in range(40)))
    found = every(build(table, "data.source=s", "data.target=[x,y]"))
    assert {SourceTarget("s 0", ("x 0",)), SourceTarget("s 1", ("x 1", "y"))} <= set(found)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"source": "s", "target": []}, "line 2 has an empty target; write a text, or set data.target"),
        ({"source": " ", "target": "t"}, "line 2 has an empty source"),
        ({"source": "s", "target": [1, 2]}, "line 2 has for a text what is none: 1; set data.target"),
        ({"source": "s"}, r"line 2 has no target \(but source\); set data\.target"),
        ({"source": "s\0", "target": "t"}, "line 2 holds a NUL byte"),
        ({"source": "s", "target": "\ud800"}, "line 2 holds half of a surrogate pair"),
    ],
)
def test_a_faulty_row_stops_or_is_left_out(
    tmp_path: Path, row: object, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = [{"source": f"s {number}", "target": f"t {number}"} for number in range(40)]
    path = written(tmp_path / "pairs.jsonl", "\n".join(json.dumps(one) for one in [good[0], row, *good[1:]]))
    with pytest.raises(Mistake, match=f"pairs.jsonl, {said}"):
        every(build(path))
    assert len(every(build(path, "data.on_error=skip"))) == 40
    assert "1 example was left out" in caplog.text


def test_rows_that_are_equal_in_a_column_come_into_one_split(tmp_path: Path) -> None:
    rows = "".join(f"zh {number}\ten {number % 30}\n" for number in range(90))
    path = written(tmp_path / "pairs.tsv", "source\ttarget\n" + rows)
    parts = [{one.targets for one in build(path, "data.split_by=target").read(split)} for split in SPLITS]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 30
    apart = [{one.targets for one in build(path).read(split)} for split in SPLITS]
    assert sum(map(len, apart)) > 30


def test_one_column_cannot_be_both_and_there_must_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"data\.target=source is a column of data\.source"):
        build(tmp_path, "data.target=source")
    with pytest.raises(Mistake, match=r"data\.target is empty"):
        build(tmp_path, "data.target=[]")
    with pytest.raises(Mistake, match=r"needs data\.path"):
        config.build(config.compose(["data=pair_table"]), "data")


def test_columns_and_layout_are_in_the_fingerprint(tmp_path: Path) -> None:
    path = written(tmp_path / "pairs.tsv", "source\ttarget\n" + "".join(f"{n}a\t{n}b\n" for n in range(40)))
    made = build(path).fingerprint()
    assert made == build(path).fingerprint()
    assert made != build(path, "data.source=target", "data.target=source").fingerprint()
    assert made != build(path, "data.join=-").fingerprint()
