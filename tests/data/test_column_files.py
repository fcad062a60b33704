"""Published data sets in the files in which people download them: small samples of our own in the same layout."""

import os
from pathlib import Path

import pytest

from lmlab import config
from lmlab.types import SPLITS, Mistake

CONLL = "-DOCSTART- -X- O O\n\nAnn NNP I-NP I-PER\nran VBD I-VP O\n\nRome NNP I-NP I-LOC\nParis NNP B-NP I-LOC\n"
CONLLU = "\n".join(
    "\t".join(row.split())
    for row in (
        "# sent_id=1",
        "1-2 del _ _ _ _ _ _ _ _",
        "1 de de ADP E _ 2 case _ _",
        "2 sol sol NOUN N _ 0 root _ _",
        "\n",
    )
)


def source(*words):
    return config.build(config.compose(["task=tagging", *words]), "data")


@pytest.fixture
def root(tmp_path):
    """Of both data sets, each split."""
    for folder, names in (("conll2003", ("eng.train", "eng.testa", "eng.testb")), ("UD_Own-Test", ())):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text(CONLL)
    for part in ("train", "dev", "test"):
        (tmp_path / "UD_Own-Test" / f"own_test-ud-{part}.conllu").write_text(CONLLU)
    return tmp_path


def test_conll_2003_as_its_organisers_write_it(root):
    made = source("data=conll2003", f"data.root={root}")
    for split in SPLITS:
        assert [(one.words, one.tags) for one in made.read(split)] == [
            (("Ann", "ran"), ("I-PER", "O")),
            (("Rome", "Paris"), ("I-LOC", "I-LOC")),
        ]
    again = source("data=conll2003", f"data.root={root}", "data.to_scheme=iob2", "data.tag=2")
    assert [one.tags for one in again.read("test")] == [("B-NP", "B-VP"), ("B-NP", "B-NP")]


def test_conll_2003_as_packages_name_it(root):
    for old, new in (("eng.train", "train.txt"), ("eng.testa", "valid.txt"), ("eng.testb", "test.txt")):
        (root / "conll2003" / old).rename(root / "conll2003" / new)
    assert len([*source("data=conll2003", f"data.root={root}").read("val")]) == 2


@pytest.mark.parametrize("words", [["data.name=UD_Own-Test", "data.root={}"], ["data.root={}/UD_Own-Test"]])
def test_a_treebank_is_found_by_its_name_or_folder(root, words):
    made = source("data=universal_dependencies", *[word.format(root) for word in words])
    for split in SPLITS:
        assert [(one.words, one.tags) for one in made.read(split)] == [(("de", "sol"), ("ADP", "NOUN"))]


def test_what_is_missing_or_doubtful_is_said(root, monkeypatch):
    with pytest.raises(Mistake, match=r"UD_English-EWT needs \*-ud-train\.conllu, .* universaldependencies\.org"):
        source("data=universal_dependencies", f"data.root={root}")
    monkeypatch.delenv("LMLAB_DATA", raising=False)
    with pytest.raises(Mistake, match=r"CoNLL 2003 is not part of lmlab"):
        source("data=conll2003")
    (root / "UD_Own-Test" / "other-ud-dev.conllu").write_text(CONLLU)
    with pytest.raises(Mistake, match=r"2 files of .* are called \*-ud-dev\.conllu"):
        source("data=universal_dependencies", "data.name=UD_Own-Test", f"data.root={root}")


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["conll2003", "universal_dependencies"])
def test_the_published_files_are_read(name):
    if "LMLAB_DATA" not in os.environ:
        pytest.skip("LMLAB_DATA names no folder of data sets")
    try:
        made = source(f"data={name}")
    except Mistake as mistake:
        pytest.skip(str(mistake))
    assert all(next(made.read(split)).words for split in SPLITS), Path(os.environ["LMLAB_DATA"])
