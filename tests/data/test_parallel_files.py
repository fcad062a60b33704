"""Published parallel corpora: where they are found, in either direction, line by line."""

import gzip
import os
from pathlib import Path

import pytest

from lmlab import config, values
from lmlab.examples import SourceTarget
from lmlab.types import SPLITS, Mistake, Source

DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))


def build(name: str, root: Path | None, *overrides: str) -> Source:
    """As the command line builds it."""
    composed = config.compose([f"data={name}", *([f"data.root={root}"] if root else []), *overrides])
    values.check(composed)
    source: Source = config.build(composed, "data")
    return source


def written(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = content.encode()
    path.write_bytes(gzip.compress(made) if path.suffix == ".gz" else made)


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMLAB_DATA", raising=False)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for part in ("train", "val", "test_2016_flickr", "test_2017_flickr"):
        written(tmp_path / f"multi30k/raw/{part}.en.gz", f"Two dogs of {part}.\nA man\x85runs.\n")
        written(tmp_path / f"multi30k/raw/{part}.de.gz", f"Zwei Hunde von {part}.\r\nEin Mann rennt.")
    return tmp_path


def test_either_language_may_be_the_source(corpus: Path) -> None:
    there, back = build("multi30k", corpus), build("multi30k", corpus, "data.source=de", "data.target=en")
    assert list(there.read("train")) == [
        SourceTarget("Two dogs of train.", ("Zwei Hunde von train.",)),
        SourceTarget("A man\x85runs.", ("Ein Mann rennt.",)),
    ]
    assert next(back.read("val")) == SourceTarget("Zwei Hunde von val.", ("Two dogs of val.",))
    assert there.fingerprint() != back.fingerprint()
    with pytest.raises(Mistake, match=r"data\.source and data\.target are both de"):
        build("multi30k", corpus, "data.source=de")


def test_another_test_set_may_be_chosen(corpus: Path) -> None:
    assert next(build("multi30k", corpus).read("test")).source == "Two dogs of test_2016_flickr."
    other = build("multi30k", corpus, "data.parts.test=[test_2017_flickr]")
    assert next(other.read("test")).source == "Two dogs of test_2017_flickr."
    with pytest.raises(Mistake, match=r"Multi30k needs raw/test_2019\.en\.gz and raw/test_2019\.de\.gz, not found in"):
        build("multi30k", corpus, "data.parts.test=[test_2019]")
    with pytest.raises(Mistake, match=r"has no LANGUAGE; set data\.files"):
        build("multi30k", corpus, "data.files=[PART.en]")


def test_missing_data_says_which_files_are_needed_and_where_people_get_them(tmp_path: Path) -> None:
    for root in (None, tmp_path):
        with pytest.raises(
            Mistake, match=r"train\.en\.gz and raw/train\.de\.gz.*get it from multi30k/dataset .*data\.root"
        ):
            build("multi30k", root)


def test_lines_that_do_not_belong_together_are_refused(corpus: Path) -> None:
    written(corpus / "multi30k/raw/val.de.gz", "Eins\nZwei\nDrei\n")
    with pytest.raises(Mistake, match=r"val\.en\.gz has 2 lines and .*val\.de\.gz has 3, but"):
        next(build("multi30k", corpus).read("train"))


def test_a_corpus_of_other_files_needs_no_yaml_of_its_own(tmp_path: Path) -> None:
    for number in range(60):
        with (tmp_path / "train.fi").open("a") as finnish, (tmp_path / "train.et").open("a") as estonian:
            finnish.write(f"yksi {number % 50}\n")
            estonian.write(f"üks {number}\n")
    keys = ["data.source=fi", "data.target=et", "data.parts={train:[train],val:null,test:null}"]
    source = build("parallel_files", tmp_path, *keys, "data.split.val=0.3", "data.split.test=0.2")
    parts = [{one.source for one in source.read(split)} for split in SPLITS]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 50
    assert sum(len(list(source.read(split))) for split in SPLITS) == 60


real_data = pytest.mark.skipif(not DATA.exists(), reason="needs LMLAB_DATA")


@pytest.mark.real_data
@real_data
@pytest.mark.parametrize("files", [[], ["data.files=[tok/PART.lc.norm.tok.LANGUAGE]"]])
def test_multi30k_has_its_published_pairs(files: list[str]) -> None:
    source = build("multi30k", DATA, *files)
    back = build("multi30k", DATA, *files, "data.source=de", "data.target=en")
    for split, number in zip(SPLITS, (29_000, 1_014, 1_000)):
        found = list(source.read(split))
        assert len(found) == number
        assert [(one.source, *one.targets) for one in found] == [(*one.targets, one.source) for one in back.read(split)]
    assert (
        next(source.read("train")).source.lower().startswith("two young, white" if not files else "two young , white")
    )
