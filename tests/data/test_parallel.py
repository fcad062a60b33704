"""Anyone's parallel text: faults with file and line, splits by source, whatever line ends and encodings people have."""

import gzip
from pathlib import Path

import pytest

from lmlab import config, values
from lmlab.examples import SourceTarget
from lmlab.types import SPLITS, Mistake, Source


def build(folder: Path, *overrides: str, source: bytes, target: bytes) -> Source:
    """As the command line builds it, of two files in a folder with a space."""
    place = folder / "my texts (1)"
    place.mkdir(exist_ok=True)
    (place / "a [en].txt").write_bytes(source)
    (place / "b.txt").write_bytes(target)
    keys = [f"data.source_path={place}/a [en].txt", f"data.target_path={place}/b.txt"]
    return built(*keys, *overrides)


def built(*keys: str) -> Source:
    composed = config.compose(["data=parallel", *keys])
    values.check(composed)
    made: Source = config.build(composed, "data")
    return made


def lines(*, num: int, word: str, end: str = "\n") -> bytes:
    return "".join(f"{word} {number}{end}" for number in range(num)).encode()


def every(source: Source) -> list[SourceTarget]:
    return [one for split in SPLITS for one in source.read(split)]


def test_splits_are_drawn_by_the_source_so_that_a_repeated_one_stays_together(tmp_path: Path) -> None:
    source = build(tmp_path, source=lines(num=60, word="a") * 3, target=lines(num=180, word="b"))
    parts = [{one.source for one in source.read(split)} for split in SPLITS]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 60
    assert len(every(source)) == 180


def test_files_of_their_own_are_the_splits(tmp_path: Path) -> None:
    keys = []
    for number, prefix in enumerate(("", "val_", "test_")):
        for side in ("source", "target"):
            (tmp_path / f"{prefix}{side}").write_bytes(lines(num=number + 2, word=f"{prefix}{side}"))
            keys.append(f"data.{prefix}{side}_path={tmp_path / f'{prefix}{side}'}")
    source = built(*keys)
    assert [len(list(source.read(split))) for split in SPLITS] == [2, 3, 4]
    assert next(source.read("val")) == SourceTarget("val_source 0", ("val_target 0",))
    with pytest.raises(
        Mistake, match=r"data\.test_target_path=.* is half of a parallel text; set data\.test_source_path"
    ):
        built(*keys[:4], keys[5])


def test_a_pattern_is_several_targets_of_each_source(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"reference.{number}").write_bytes(lines(num=40, word=f"r{number}"))
    (tmp_path / "source").write_bytes(lines(num=40, word="s"))
    found = every(built(f"data.source_path={tmp_path}/source", f"data.target_path={tmp_path}/reference.*"))
    assert SourceTarget("s 0", ("r0 0", "r1 0", "r2 0")) in found
    with pytest.raises(Mistake, match=r"reference\.\* are 3 files; set data\.source_path to one"):
        built(f"data.source_path={tmp_path}/reference.*", f"data.target_path={tmp_path}/source")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_end_at_line_feeds_alone(tmp_path: Path, end: str) -> None:
    odd = [f"a{character}b {number}" for number, character in enumerate("\x0b\x0c\x1c\x85\u2028\u2029\r" * 6)]
    sources = "\ufeff" + end.join(odd)
    found = every(build(tmp_path, source=sources.encode(), target=lines(num=len(odd), word="t", end=end)))
    assert sorted(one.source for one in found) == sorted(odd)
    assert all(one.targets[0].removeprefix("t ") == one.source.split(" ")[-1] for one in found if one.source.count(" "))


def test_gzip_encodings_and_very_long_lines_are_read(tmp_path: Path) -> None:
    packed = gzip.compress("".join(f"Größe {number}\n" for number in range(50)).encode("latin-1"))
    target = b"x" * 5_000_000 + b"\n" + lines(num=49, word="y")
    found = every(build(tmp_path, "data.encoding=latin-1", source=packed, target=target))
    assert {len(one.targets[0]) for one in found if one.source == "Größe 0"} == {5_000_000}
    with pytest.raises(Mistake, match="is a damaged gzip file"):
        every(build(tmp_path, "data.encoding=latin-1", source=packed[:-9], target=target))
    with pytest.raises(Mistake, match=r"a \[en\]\.txt, line 1 is not utf-8: byte 0xf6; set data\.encoding=latin-1"):
        every(build(tmp_path, source=packed, target=target))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (b"", r"b\.txt, line 7 is empty, and what belongs to it is not"),
        (b"  ", r"b\.txt, line 7 is empty"),
        (b"nu\0l", r"b\.txt, line 7 holds a NUL byte"),
        (b"\xff\xfe\xfa", r"b\.txt, line 7 is not utf-8"),
    ],
)
def test_a_faulty_line_stops_or_is_left_out_with_its_partner(
    tmp_path: Path, wrong: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = lines(num=60, word="t").split(b"\n")
    rows[6] = wrong
    target = b"\n".join(rows)
    with pytest.raises(Mistake, match=said + ".*data.on_error=skip"):
        every(build(tmp_path, source=lines(num=60, word="s"), target=target))
    found = every(build(tmp_path, "data.on_error=skip", source=lines(num=60, word="s"), target=target))
    assert {one.source for one in found} == {f"s {number}" for number in range(60) if number != 6}
    assert all(one.source[1:] == one.targets[0][1:] for one in found)
    assert "1 example was left out of" in caplog.text


def test_lines_that_are_empty_on_both_sides_stand_for_nothing(tmp_path: Path) -> None:
    source, target = (lines(num=40, word=word) + b"\n\n" + lines(num=3, word="end") for word in "st")
    assert len(every(build(tmp_path, source=source, target=target))) == 43


@pytest.mark.parametrize("more", [b"one more", b"one more\n", b"\n"])
def test_files_of_unequal_length_are_refused_even_with_skip(tmp_path: Path, more: bytes) -> None:
    target = lines(num=40, word="t") + more
    with pytest.raises(Mistake, match=r"a \[en\]\.txt has 40 lines and .*b\.txt has 41, but"):
        every(build(tmp_path, "data.on_error=skip", source=lines(num=40, word="s"), target=target))


def test_what_is_missing_or_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "source.txt").write_text("a")
    with pytest.raises(Mistake, match=r"needs two files, line by line: data\.source_path"):
        built()
    with pytest.raises(
        Mistake, match=r"data\.target_path=\S*sourse\.txt does not exist \(in .* there is source\.txt\)"
    ):
        built(f"data.source_path={tmp_path}/source.txt", f"data.target_path={tmp_path}/sourse.txt")
    with pytest.raises(Mistake, match=r"is a folder; set data\.target_path to a file"):
        built(f"data.source_path={tmp_path}/source.txt", f"data.target_path={tmp_path}")
    with pytest.raises(Mistake, match=r"are both .*source\.txt; set data\.target_path"):
        built(f"data.source_path={tmp_path}/source.txt", f"data.target_path={tmp_path}/source.txt")
    with pytest.raises(Mistake, match=r"b\.txt is empty"):
        every(build(tmp_path, source=lines(num=3, word="s"), target=b"\n\n\n"))
    with pytest.raises(Mistake, match=r"data\.split\.val=1e-09 leaves no example for val"):
        every(build(tmp_path, "data.split.val=1e-9", source=lines(num=30, word="s"), target=lines(num=30, word="t")))


def test_content_direction_and_splits_are_in_the_fingerprint_and_places_are_not(tmp_path: Path) -> None:
    one, other = lines(num=40, word="s"), lines(num=40, word="t")
    made = build(tmp_path, source=one, target=other).fingerprint()
    (tmp_path / "elsewhere").mkdir()
    assert made == build(tmp_path / "elsewhere", source=one, target=other).fingerprint()
    assert made != build(tmp_path, source=other, target=one).fingerprint()
    assert made != build(tmp_path, "data.split.val=0.2", source=one, target=other).fingerprint()
