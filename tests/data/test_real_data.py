"""The traps of the published data sets, at the places where they stand; see also the tests of each option."""

import os
from pathlib import Path

import pytest

from lmlab import config, values
from lmlab.data.word_sets import read_word_sets
from lmlab.types import SPLITS, Mistake, Source

DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))
pytestmark = [pytest.mark.real_data, pytest.mark.skipif(not DATA.is_dir(), reason="needs LMLAB_DATA")]


def build(name: str, *overrides: str) -> Source:
    """As the command line builds it."""
    composed = config.compose([f"data={name}", *overrides])
    values.check(composed)
    source: Source = config.build(composed, "data")
    return source


def every(source: Source) -> list[str]:
    return [text for split in SPLITS for one in source.read(split) for text in one.texts]


@pytest.mark.parametrize(
    ("preset", "files"),
    [
        ("sst2", ["classification/sst2_glue/train.tsv", "classification/sst2_glue/dev.tsv"]),
        ("rte", ["glue/RTE/train.tsv", "glue/RTE/dev.tsv"]),
        ("mrpc", ["glue/MRPC/msr_paraphrase_train.txt", "glue/MRPC/msr_paraphrase_test.txt"]),
        ("sst2_sentences", [f"classification/sst2_sentences/{part}.tsv" for part in ("train", "dev", "test")]),
    ],
)
def test_quotes_in_a_tsv_are_characters_and_merge_no_rows(preset: str, files: list[str]) -> None:
    written = "".join((DATA / file).read_text(encoding="utf-8") for file in files)
    texts = every(build(preset))
    assert sum(text.count('"') for text in texts) == written.count('"')
    assert not any("\n" in text or "\t" in text for text in texts)


def test_ag_news_has_quoted_columns_and_line_breaks_for_backslashes() -> None:
    texts = [one.texts[0] for one in build("ag_news").read("test")]
    assert len(texts) == 7_600
    assert texts[0].startswith("Fears for T N pension after talks Unions representing workers at Turner")
    assert "TORONTO, Canada -- A second\nteam of rocketeers competing" in texts[1]
    assert not any("\\" in text for text in texts)


@pytest.mark.parametrize(
    ("preset", "number"), [("sst2_sentences", 1_821), ("thucnews", 10_000), ("chnsenticorp", 1_200)]
)
def test_a_missing_last_line_end_loses_no_row(preset: str, number: int) -> None:
    assert len(list(build(preset).read("test"))) == number


def test_western_text_of_one_byte_a_character_names_its_encoding_and_is_read_whole() -> None:
    path = DATA / "embeddings/corpus/abc/science.txt"
    with pytest.raises(Mistake, match=r"science\.txt, line \d+ is not utf-8: byte 0x.. .*data\.encoding=latin-1"):
        list(build("text", f"data.path={path}").read("train"))
    assert sum(map(len, every(build("text", f"data.path={path}", "data.encoding=latin-1")))) == path.stat().st_size


def test_penn_treebank_counts_its_tokens_with_the_end_of_each_line() -> None:
    texts = [next(build("ptb").read(split)).text for split in SPLITS]
    assert [len(text.split()) + text.count("\n") for text in texts] == [929_589, 73_760, 82_430]
    assert len({*texts[0].split()}) + 1 == 10_000


def test_imdb_has_no_marks_of_line_breaks_and_its_longest_review() -> None:
    texts = every(build("imdb"))
    assert len(texts) == 5_000
    assert not any("<br />" in text for text in texts)


@pytest.mark.parametrize("preset", ["multi30k", "tatoeba_zh"])
def test_a_pair_is_not_shifted_by_characters_that_only_look_like_line_ends(preset: str) -> None:
    pairs = [one for split in SPLITS for one in build(preset).read(split)]
    assert all(one.source.strip() and one.targets[0].strip() for one in pairs)
    if preset == "multi30k":
        first, last = pairs[0], list(build(preset).read("test"))[-1]
        assert first.source == "Two young, White males are outside near many bushes."
        assert first.targets == ("Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",)
        assert (last.source[:19], last.targets[0][:20]) == ("A girl at the shore", "Ein Mädchen an einer")


def test_recorded_digits_differ_in_length_sixteenfold() -> None:
    seconds = [len(one.read()) / one.sample_rate for split in SPLITS for one in build("spoken_digits").read(split)]
    assert len(seconds) == 3_000
    assert (round(min(seconds), 2), round(max(seconds), 2)) == (0.14, 2.28)
    assert sum(seconds) / 60 == pytest.approx(21.9, abs=0.05)


def test_the_sets_of_word_vectors_have_their_published_sizes() -> None:
    found = read_word_sets(DATA / "embeddings/eval")
    assert {name: len(pairs) for name, pairs in found.similarity.items()} == {
        "wordsim353": 353,
        "wordsim353_relatedness": 252,
        "wordsim353_similarity": 203,
        "simlex999": 999,
        "men": 3_000,
        "rare_words": 2_034,
    }
    assert {name: len(questions) for name, questions in found.analogy.items()} == {
        "analogy": 19_544,
        "ca8": 10_177 + 7_636,
    }
