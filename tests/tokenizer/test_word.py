"""Words as published figures count them."""

import os
import random
from pathlib import Path

import pytest

from lmlab.tokenizer.word import Word
from lmlab.tokenizer.words import num_words

PTB = Path(os.environ.get("LMLAB_DATA", "/nowhere")) / "lm/ptb"


def word(*texts: str) -> object:
    return Word(vocab_size=None, min_count=1).train(texts)


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
