"""Which tokens begin a word, whatever the tokenizer; the mask is no token of a text."""

from itertools import pairwise

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from lmlab.batch.masked import begins
from lmlab.tokenizer.bpe import Bpe
from lmlab.tokenizer.byte import Byte
from lmlab.tokenizer.char import Char
from lmlab.tokenizer.pieces import holds_blank, pieces, with_mask
from lmlab.tokenizer.trained import Trained, load
from lmlab.tokenizer.unigram import Unigram
from lmlab.tokenizer.word import Word

TEXT = "The unbelievable cat's mat_2, by foo12bar.\nOne  más día; 你好。"
WORD = Word(
    vocab_size=None, min_count=1, lowercase=False, pattern=None, chinese="characters", phrases=None,
    phrase_discount=5.0, phrase_passes=1,
)  # fmt: skip
TRAINERS = {
    "bpe": Bpe(vocab_size=280, min_count=1),
    "byte": Byte(),
    "char": Char(vocab_size=None, min_count=1),
    "unigram": Unigram(vocab_size=60),
    "word": WORD,
}


def wordpiece():
    names = {"[UNK]": 0, "[SEP]": 1, "[MASK]": 2, "un": 3, "##believ": 4, "##able": 5, "cat": 6}
    made = Tokenizer(models.WordPiece(names, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.add_special_tokens(["[UNK]", "[SEP]", "[MASK]"])
    return Trained(tokenizer=made, end="[SEP]")


def words(tokenizer, text):
    """The text cut where words begin."""
    ids, known = tokenizer.encode(text), pieces(tokenizer, (tokenizer.mask,))
    cut = [*np.flatnonzero(begins(np.array([ids]), known)[0]), len(ids)]
    return [tokenizer.decode(ids[one:other]) for one, other in pairwise(cut)]


GPT2 = ["The", " unbelievable", " cat", "'", "s", " mat", "_", "2", ",", " by", " foo", "12", "bar", ".", "\n", "One"]


@pytest.mark.parametrize("name", ["bpe", "unigram", "byte", "char"])
def test_words_are_runs_of_one_script_with_the_blank_before_them(name):
    found = words(with_mask(TRAINERS[name].train([TEXT] * 3)), TEXT)
    assert "".join(found) == TEXT
    if name == "bpe":  # in which 's is a token
        found[3:4] = ["'", "s"]
    assert found[:16] == GPT2
    assert found[-3:] == ["你", "好", "。"]
    assert {"más", "día"} <= {one.strip() for one in found}


def test_each_token_of_words_is_one_but_those_that_say_they_go_on():
    assert words(with_mask(WORD.train([TEXT])), "The cat's mat_2,") == ["The", "cat's", "mat_2,"]
    assert words(wordpiece(), "unbelievable cat") == ["unbelievable", "cat"]


def test_a_mask_of_its_own_is_used_and_none_is_added():
    tokenizer = wordpiece()
    assert tokenizer.mask == 2
    assert with_mask(tokenizer) is tokenizer
    assert tokenizer.special == {0, 1, 2}


@pytest.mark.parametrize("name", TRAINERS)
def test_an_added_mask_is_in_no_text_and_changes_none(name, tmp_path):
    before = TRAINERS[name].train([TEXT])
    after = with_mask(before)
    assert before.mask is None
    assert after.mask == before.vocab_size == after.vocab_size - 1
    assert after.encode(f"{TEXT} <mask>") == before.encode(f"{TEXT} <mask>")
    assert after.decode([after.mask, *after.encode(TEXT)]) == before.decode(before.encode(TEXT))
    after.save(str(tmp_path / "tokenizer.json"))
    assert load(tmp_path / "tokenizer.json").mask == after.mask
    assert {after.eos, after.mask} <= after.special
    known = pieces(after, (after.mask,))
    assert set(known.is_special.nonzero()[0].tolist()) == after.special
    assert len(known.starts) == len(known.first) == len(known.last) == after.vocab_size


def test_where_words_hold_the_blank_before_them():
    assert [name for name in TRAINERS if holds_blank(TRAINERS[name].train([TEXT] * 3))] == ["bpe", "unigram"]
    assert not holds_blank(wordpiece())
