"""Words as published figures count them."""

import os
import pickle
import random
import re
from pathlib import Path
from typing import Any

import pytest

from lmlab.tokenizer.trained import Trained, load
from lmlab.tokenizer.word import Word
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
