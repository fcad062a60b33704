"""Published sets of texts and targets: where they are found, how their files are read, and what is in them."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
import yaml

from lmlab import config, values
from lmlab.examples import SourceTarget
from lmlab.types import SPLITS, Mistake, Source

CONF = Path(__file__).parents[2] / "conf/data"
DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))
PRESETS = sorted(
    path.stem
    for path in CONF.glob("*.yaml")
    if "pair_files" in yaml.safe_load(path.read_text(encoding="utf-8")).get("defaults", [])
)


def build(name: str, root: Path | None, *overrides: str) -> Source:
    """As the command line builds it."""
    composed = config.compose([f"data={name}", *([f"data.root={root}"] if root else []), *overrides])
    values.check(composed)
    source: Source = config.build(composed, "data")
    return source


def written(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())


def objects(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMLAB_DATA", raising=False)


@pytest.mark.parametrize("preset", PRESETS)
def test_missing_data_says_which_file_is_needed_and_where_people_get_it(tmp_path: Path, preset: str) -> None:
    chosen = config.compose([f"data={preset}"]).data
    for root in (None, tmp_path):
        with pytest.raises(Mistake) as caught:
            build(preset, root)
        message = str(caught.value)
        assert chosen.published.origin in message
        assert "data.root or LMLAB_DATA" in message
        assert all(names[0] in message for names in chosen.files.values() if names)


def test_tatoeba_goes_in_either_direction_and_keeps_the_translations_of_a_sentence_together(tmp_path: Path) -> None:
    rows = "".join(f'"Wait" {n % 150}!\t等{n % 200}！\tCC-BY 2.0 #{n}\n' for n in range(300))
    written(tmp_path / "cmn-eng/cmn.txt", rows)
    there = build("tatoeba_zh", tmp_path)
    back = build("tatoeba_zh", tmp_path, "data.source=zh", "data.target=en")
    assert SourceTarget('"Wait" 0!', ("等0！",)) in [one for split in SPLITS for one in there.read(split)]
    for source, number in ((there, 150), (back, 200)):
        assert sum(len(list(source.read(split))) for split in SPLITS) == 300
        parts = [{one.source for one in source.read(split)} for split in SPLITS]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts)) == number


def test_scitldr_joins_sentences_and_has_several_targets(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        rows = [{"source": ["We try.", "It works."], "title": "On trying", "target": [f"{part} a", f"{part} b"]}]
        written(tmp_path / f"SciTLDR-A/{part}.jsonl", objects(rows))
    expected = SourceTarget("We try. It works.", ("test a", "test b"))
    assert list(build("scitldr", tmp_path).read("test")) == [expected]
    titled = build("scitldr", tmp_path, "data.source=[title,source]")
    assert next(titled.read("val")).source == "On trying We try. It works."


def test_dialogsum_trains_on_its_validation_file_where_train_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dev = [{"dialogue": f"A: {n}\nB: yes", "summary": f"They agree on {n}.", "topic": "numbers"} for n in range(80)]
    test = [{"dialogue": f"A: {n}?", **{f"summary{k}": f"{k} {n}" for k in (1, 2, 3)}} for n in range(7)]
    written(tmp_path / "dialogsum/dialogsum.dev.jsonl", objects(dev))
    written(tmp_path / "dialogsum/dialogsum.test.jsonl", objects(test))
    source = build("dialogsum", tmp_path)
    parts = [list(source.read(split)) for split in SPLITS]
    assert len(parts[0]) + len(parts[1]) == 80
    assert parts[1]
    assert parts[2][0] == SourceTarget("A: 0?", ("1 0", "2 0", "3 0"))
    assert "dialogsum.train.jsonl is not in" in caplog.text
    written(tmp_path / "dialogsum/dialogsum.train.jsonl", objects(dev * 2))
    assert [len(list(build("dialogsum", tmp_path).read(split))) for split in SPLITS] == [160, 80, 7]


def test_an_exception_that_means_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"data\.exceptions has text, which is none of source, target"):
        build("dialogsum", tmp_path, "data.exceptions=[{file: a, text: b}]")


real_data = pytest.mark.skipif(not DATA.exists(), reason="needs LMLAB_DATA")


def found(preset: str, *overrides: str) -> dict[str, list[SourceTarget]]:
    source = build(preset, DATA, *overrides)
    return {split: list(source.read(split)) for split in SPLITS}


@pytest.mark.real_data
@real_data
def test_tatoeba_has_its_published_pairs_and_mixes_lengths() -> None:
    parts = found("tatoeba_zh")
    assert sum(map(len, parts.values())) == 29_155
    sources = {split: {one.source for one in own} for split, own in parts.items()}
    assert sum(map(len, sources.values())) == len(set.union(*sources.values())) == 27_661
    lengths = [sum(len(one.source) for one in own) / len(own) for own in parts.values()]
    assert max(lengths) < 1.1 * min(lengths)
    assert all(0.04 < len(parts[split]) / 29_155 < 0.06 for split in ("val", "test"))
    back = found("tatoeba_zh", "data.source=zh", "data.target=en")
    sources = [{one.source for one in own} for own in back.values()]
    assert sum(map(len, sources)) == len(set.union(*sources)) < sum(map(len, back.values())) == 29_155


@pytest.mark.real_data
@real_data
def test_scitldr_has_its_published_examples_and_targets() -> None:
    parts = found("scitldr")
    assert [len(own) for own in parts.values()] == [1_992, 619, 618]
    targets = [Counter(len(one.targets) for one in own) for own in parts.values()]
    assert targets == [{1: 1992}, {1: 94, 2: 237, 3: 267, 4: 21}, {2: 83, 3: 339, 4: 196}]
    words = [len(one.source.split()) for one in parts["train"]]
    assert 150 < sum(words) / len(words) < 170


@pytest.mark.real_data
@real_data
def test_dialogsum_has_its_published_examples() -> None:
    parts = found("dialogsum")
    assert len(parts["train"]) + len(parts["val"]) == 500
    assert len(parts["test"]) == 500
    assert {len(one.targets) for one in parts["test"]} == {3}
    assert {len(one.targets) for one in parts["train"]} == {1}
