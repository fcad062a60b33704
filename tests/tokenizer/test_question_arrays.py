"""Answers as spans of tokens and back to characters: exact with every tokenizer, in English, Chinese and what else there is."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from lmlab.examples import Answer, Question
from lmlab.tokenizer.question_arrays import question_arrays, question_rows
from lmlab.types import Mistake

ROOT = Path(__file__).parents[2]
OPTIONS = {
    "char": {},
    "byte": {},
    "bpe": {"vocab_size": 300},
    "unigram": {"vocab_size": 120},
    "word": {},
    "words of a pattern": {"pattern": r"\w+|[^\w\s]"},
    "lower case": {"lowercase": True},
    "phrases": {"phrases": 0.1, "phrase_discount": 0.0},
    "jieba": {"chinese": "jieba"},
    "segmented": {"chinese": "segmented"},
}
CONTEXTS = [
    'The  "Queen" of Île-de-France  slept;\n\tshe woke in İstanbul, in 1,234.5 nights.',
    "从前有一个国王，他有三个女儿。最小的女儿 Anna 最美丽。",
    "emoji 👩‍👩‍👧 é naïve ﬁ Straße  end \u3000 <eos> x",
    "a b a b. " * 600 + "the end",
]


def trained(name):
    option = name if name in ("char", "byte", "bpe", "unigram") else "word"
    values = yaml.safe_load((ROOT / f"conf/tokenizer/{option}.yaml").read_text()) | OPTIONS[name]
    module, _, factory = values.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), factory)(**values)


@pytest.fixture(scope="module", params=OPTIONS)
def tokenizer(request):
    return trained(request.param).train(CONTEXTS * 3)


@pytest.mark.parametrize("text", [*CONTEXTS, "", " \n "])
def test_each_token_has_its_place_and_no_character_is_lost(tokenizer, text):
    places = tokenizer.places(text)
    assert len(places) == len(tokenizer.encode(text))
    covered = np.zeros(len(text), bool)
    for (start, end), (later, _) in zip(places, [*places[1:], (len(text), 0)]):
        assert 0 <= start <= end <= len(text)
        assert start <= later
        assert text[start:end].strip() == text[start:end]
        covered[start:end] = True
    assert not [letter for letter, is_in in zip(text, covered) if not is_in and not letter.isspace()]


ANSWERS = [
    "Queen",
    "Île-de-France",
    "İstanbul",
    "1,234.5 nights",
    "国王",
    "三个女儿",
    "Anna",
    "naïve",
    "Straße",
    "the end",
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_span_of_an_answer_is_the_least_that_holds_it(tokenizer, answer):
    context = next(one for one in CONTEXTS if answer in one)
    start = context.index(answer)
    rows = question_rows(tokenizer, [Question("1", "who?", context, (Answer(answer, start),))])
    (span,) = rows.answers_of(0)
    begin, end = rows.characters(0, *span)
    assert begin <= start < start + len(answer) <= end
    places = rows.places[rows.context(0)]
    assert places[span[0], 1] > start
    assert places[span[1], 0] < start + len(answer)


@pytest.mark.parametrize("name", ["char", "byte", "words of a pattern"])
@pytest.mark.parametrize("answer", ["Queen", "1,234.5 nights", "Anna", "naïve"])
def test_small_tokens_give_the_answer_back_exactly(name, answer):
    context = next(one for one in CONTEXTS if answer in one)
    one = Question("1", "who?", context, (Answer(answer, context.index(answer)),))
    rows = question_rows(trained(name).train(CONTEXTS), [one])
    begin, end = rows.characters(0, *rows.answers_of(0)[0])
    assert context[begin:end] == answer


def test_a_context_is_kept_once_for_its_questions_and_answers_that_are_nowhere_are_known_to_be(tokenizer):
    first, second = CONTEXTS[:2]
    rows = question_rows(
        tokenizer,
        [
            Question(
                "1", "who?", first, (Answer("Queen", first.index("Queen")), Answer("slept", first.index("slept")))
            ),
            Question("2", "what?", first, ()),
            Question("3", "谁？", second, (Answer("皇帝", None),)),
        ],
    )
    assert len(rows.context_ends) == 2
    assert rows.context_of.tolist() == [0, 0, 1]
    assert rows.is_known().tolist() == [True, True, False]
    assert rows.is_answerable.tolist() == [True, False, True]
    assert [len(rows.answers_of(row)) for row in range(3)] == [2, 0, 0]
    assert rows.context_lengths().tolist() == [len(tokenizer.encode(text)) for text in (first, first, second)]
    assert rows.question(2).tolist() == tokenizer.encode("谁？")


class Source:
    """Three questions, one a split."""

    example = Question

    def __init__(self, name="one"):
        self.name, self.num_read = name, 0

    def fingerprint(self):
        return self.name

    def read(self, split):
        self.num_read += 1
        if self.name == "broken":
            raise Mistake("no such file")
        yield Question(split, "who slept?", f"{split}: the queen slept.", (Answer("queen", len(split) + 6),))


def test_arrays_are_made_once_and_read_again(tmp_path):
    source = Source()
    made = question_arrays(source, trained("char"), tmp_path)
    num_read = source.num_read
    again = question_arrays(source, trained("char"), tmp_path)
    assert source.num_read == num_read
    assert again.path == made.path
    for rows in (made.train, again.train):
        begin, end = rows.characters(0, *rows.answers_of(0)[0])
        assert "train: the queen slept."[begin:end] == "queen"
    assert made.meta["splits"]["val"]["documents"] == 1
    np.save(made.path / "train_answers.npy", np.zeros(0))  # a damaged file is made anew
    assert len(question_arrays(source, trained("char"), tmp_path).train.answers) == 1


def test_what_cannot_be_read_leaves_nothing_behind(tmp_path):
    with pytest.raises(Mistake, match="no such file"):
        question_arrays(Source("broken"), trained("char"), tmp_path)
    assert not [*tmp_path.glob("questions/*/meta.json")]
