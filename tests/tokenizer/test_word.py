"""Words as published figures count them."""

import os
import pickle
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lmlab.tokenizer import word_reader
from lmlab.tokenizer.pretrained import Pretrained
from lmlab.tokenizer.trained import Trained, load
from lmlab.tokenizer.word import Word
from lmlab.tokenizer.word_reader import WORDS
from lmlab.tokenizer.words import num_words
from lmlab.types import Mistake

CORPUS = Path(os.environ.get("LMLAB_DATA", "/nowhere")) / "embeddings/corpus"
PTB = Path(os.environ.get("LMLAB_DATA", "/nowhere")) / "lm/ptb"


PLAIN = {
    "vocab_size": None,
    "min_count": 1,
    "lowercase": False,
    "pattern": None,
    "chinese": "characters",
    "phrases": None,
    "phrase_discount": 5.0,
    "phrase_passes": 1,
}


def word(*texts: str, **values: Any) -> Trained:
    return Word(**{**PLAIN, **values}).train(texts)


def spelled(tokenizer: Trained, text: str) -> list[str]:
    return [tokenizer.token(index) for index in tokenizer.encode(text)]


def test_a_pattern_finds_what_it_finds_in_each_line_of_lower_case() -> None:
    text = "Don't stop, I said.\n\nSTOP it: 42 cats\n"
    tokenizer = word(text, lowercase=True, pattern="[a-z']+")
    lines = [re.findall("[a-z']+", line) for line in text.lower().split("\n")]
    assert spelled(tokenizer, text) == [*lines[0], "<eos>", *lines[1], "<eos>", *lines[2], "<eos>"]
    assert spelled(tokenizer, "Xyz CATS") == ["<unk>", "cats"]


@pytest.mark.parametrize(
    ("chinese", "expected"),
    [
        ("characters", ["我", "爱", "北", "京", "ok"]),
        ("segmented", ["我爱", "北京ok"]),
        ("jieba", ["我", "爱", "北京", "ok"]),
    ],
)
def test_chinese_is_cut_as_chosen_also_when_loaded_again(tmp_path: Path, chinese: str, expected: list[str]) -> None:
    text = "我爱 北京ok\n"
    tokenizer = word(text, chinese=chinese)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    for one in (tokenizer, load(tmp_path / "tokenizer.json"), pickle.loads(pickle.dumps(tokenizer))):
        assert spelled(one, text) == [*expected, "<eos>"]


def test_neighbours_that_stand_together_more_than_by_chance_become_one_word(tmp_path: Path) -> None:
    text = "new york is big\n" * 30 + "the new car of york\n" * 3 + "big is the car new\nyork\n" * 8
    tokenizer = word(text, phrases=1.5)
    # (30 - 5) / (41 * 41) * 239 words: eq. 6 of Mikolov et al. 2013b, times the number of words as published
    assert spelled(tokenizer, "new york is big") == ["new_york", "is_big"]
    assert spelled(tokenizer, "new car\nyork") == ["new", "car", "<eos>", "york"]
    assert spelled(word(text, phrases=1.5, phrase_passes=2), "new york is big") == ["new_york_is_big"]
    assert spelled(word(text, phrases=1000.0), "new york") == ["new", "york"]
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert spelled(load(tmp_path / "tokenizer.json"), "new york is") == ["new_york", "is"]


def test_phrases_are_those_that_gensim_finds_with_the_number_of_words_in_place_of_its_vocabulary() -> None:
    phrases = pytest.importorskip("gensim.models.phrases", reason="gensim is installed for development alone")
    draw = random.Random(0)
    words = [*"abcdefg", "new york", "the man of"]
    lines = [" ".join(draw.choices(words, k=7)).split() for _ in range(300)]
    theirs = phrases.Phrases(lines, min_count=5, threshold=0.05)
    per_entry = sum(map(len, lines)) / len(theirs.vocab)  # gensim multiplies by the number of entries
    text = "".join(" ".join(line) + "\n" for line in lines)
    tokenizer = word(text, phrases=0.05 * per_entry)
    assert 2 < len(theirs.export_phrases()) < 60
    for line in lines:
        assert spelled(tokenizer, " ".join(line)) == theirs[line]


def test_how_much_is_read_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "new york is big\n" * 30 + "\n\nthe new car of york\n" * 9 + "new york"
    whole = word(text, phrases=1.0, pattern="[a-z]+")
    expected = whole.encode(text)
    monkeypatch.setattr(word_reader, "CHARACTERS", 7)
    pieces = word(text, phrases=1.0, pattern="[a-z]+")
    assert pieces.encode(text) == whole.encode(text) == expected


def test_groups_in_a_pattern_and_matches_of_nothing_are_no_words() -> None:
    text = "can't stop 42\n"
    assert spelled(word(text, pattern="[a-z]+('[a-z]+)?"), text) == ["can't", "stop", "<eos>"]
    assert spelled(word(text, pattern="[a-z]*"), text) == ["can", "t", "stop", "<eos>"]


def test_segmented_text_and_phrases_are_written_with_what_separates_or_joins_them() -> None:
    text = "我爱 北京\n"
    segmented = word(text, chinese="segmented")
    assert segmented.decode(segmented.encode(text)) == text
    by_jieba = word(text, chinese="jieba")
    assert by_jieba.decode(by_jieba.encode(text)) == "我爱北京\n"
    phrases = word("new york\n" * 9, phrases=0.1)
    assert phrases.decode(phrases.encode("new york\n")) == "new_york\n"


def test_jieba_says_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    script = "from lmlab.tokenizer.jieba_words import jieba_words; assert len(jieba_words('我爱北京')) == 3"
    source = str(Path(word_reader.__file__).parents[2])
    changes = {"TMPDIR": str(tmp_path), "PYTHONPATH": source}
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | changes, capture_output=True, check=True)
    assert (done.stdout, done.stderr, list(tmp_path.iterdir())) == (b"", b"", [])


def test_what_a_file_for_hugging_face_cannot_say_is_refused(tmp_path: Path) -> None:
    assert set(word("a b\n").files()) == {"tokenizer.json", "tokenizer_config.json"}
    tokenizer = word("a b\n", lowercase=True)
    with pytest.raises(Mistake, match=r"tokenizer\.lowercase"):
        tokenizer.files()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokenizer.json", WORDS]
    assert spelled(Pretrained(path=str(tmp_path), end=None).train([]), "A B C") == ["a", "b", "<unk>"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pattern": "[a-z"}, "is no regular expression"),
        ({"pattern": "Q+"}, "finds no word"),
        ({"min_count": 9}, "set tokenizer.min_count to at most 2"),
    ],
)
def test_what_leaves_no_vocabulary_is_said(values: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistake, match=re.escape(said)):
        word("a b a\n", **values)


@pytest.mark.real_data
@pytest.mark.skipif(not CORPUS.exists(), reason="needs LMLAB_DATA/embeddings/corpus")
def test_a_real_text_has_the_words_of_a_regular_expression() -> None:
    text = (CORPUS / "abc/rural.txt").read_text(encoding="utf-8")
    tokenizer = word(text, lowercase=True, pattern="[a-z']+")
    found = [one for one in spelled(tokenizer, text) if one != "<eos>"]
    assert found == re.findall("[a-z']+", text.lower())


def test_every_line_ends_in_one_end_of_sentence() -> None:
    tokenizer = word(" no it was \n it was \n")
    assert [tokenizer.token(index) for index in tokenizer.to_array([" no it was \n it was \n"]).tolist()] == (
        ["no", "it", "was", "<eos>", "it", "was", "<eos>"]
    )


def test_the_unknown_word_of_a_prepared_text_is_the_tokenizers_own() -> None:
    tokenizer = word("a <unk> b\n")
    assert tokenizer.vocab_size == 4
    assert tokenizer.encode("<unk> never") == [1, 1]


def test_each_han_character_is_a_word_and_they_join_without_blanks() -> None:
    text = "世界，你好。hello world 世界\n再见 bye bye\n"
    tokenizer = word(text)
    assert [tokenizer.token(index) for index in tokenizer.encode("，你好hello")] == ["，", "你", "好", "hello"]
    assert tokenizer.decode(tokenizer.encode(text)) == "世界，你好。hello world 世界\n再见 bye bye\n".replace(
        "。h", "。 h"
    )


def test_words_are_counted_as_the_tokenizer_counts_them() -> None:
    draw = random.Random(0)
    symbols = [*" \na世𠀀々，\u3000\x1c\x85\xa0\u2028\ufeff", "bc", "\r\n"]
    for _ in range(200):
        text = "".join(draw.choices(symbols, k=30))
        assert num_words(text) == len(word(text).to_array([text])), repr(text)
    assert num_words("") == 1


@pytest.mark.real_data
@pytest.mark.skipif(not PTB.exists(), reason="needs LMLAB_DATA/lm/ptb")
def test_the_penn_treebank_has_its_published_counts() -> None:
    texts = {part: (PTB / f"ptb.{part}.txt").read_text() for part in ("train", "valid", "test")}
    tokenizer = word(texts["train"])
    assert tokenizer.vocab_size == 10_000
    counts = {part: len(tokenizer.to_array([text])) for part, text in texts.items()}
    assert counts == {"train": 929_589, "valid": 73_760, "test": 82_430}
    assert counts == {part: num_words(text) for part, text in texts.items()}
    text = texts["test"]
    assert tokenizer.decode(tokenizer.encode(text)) == text.replace(" \n ", "\n").strip(" ").replace(" \n", "\n")
