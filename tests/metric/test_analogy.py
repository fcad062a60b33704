"""Analogies are answered as the formula says and counted as gensim counts them."""

import numpy as np
import pytest
import torch

from lmlab.metric import analogy
from lmlab.metric.analogy import Analogy, Count, cos_add, cos_mul
from lmlab.types import Analogy as Question
from lmlab.types import Failed

COUNTRIES = ("<eos>", "<unk>", "paris", "france", "rome", "italy", "tiber")
VECTORS = torch.tensor([[9, 9, 9], [9, 9, 9], [1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 1], [0, 1, -1.0]])


def asked(*rows, section="capital", is_syntactic=False):
    return [Question(section, is_syntactic, tuple(row.split())) for row in rows]


def measured(questions, words=COUNTRIES, vectors=VECTORS, num=None, rule=cos_add):
    metric = Analogy(words=words, questions=questions, num_candidates=num, rule=rule)
    metric.update(vectors)
    return metric


def test_the_three_words_of_a_question_are_no_answers():
    # Without the rule, italy itself would be nearest to france - paris + italy.
    found = measured(asked("paris france rome italy", "paris france italy rome", "paris france rome berlin"))
    assert found.counts() == {"capital": Count(correct=2, answered=2, asked=3)}
    assert measured(asked("paris france rome rome")).counts()["capital"].correct == 0


def test_figures_are_by_section_and_by_kind():
    questions = [
        *asked("paris france rome italy", "paris france rome tiber"),
        *asked("paris france rome berlin", section="currency"),
        *asked("paris france rome italy", section="gram1", is_syntactic=True),
    ]
    assert measured(questions).compute() == {
        "": pytest.approx(2 / 3),
        "coverage": 0.75,
        "semantic": 0.5,
        "semantic/coverage": pytest.approx(2 / 3),
        "syntactic": 1.0,
        "syntactic/coverage": 1.0,
        "capital": 0.5,
        "capital/coverage": 1.0,
        "currency/coverage": 0.0,
        "gram1": 1.0,
        "gram1/coverage": 1.0,
    }


def test_fewer_candidates_are_fewer_questions():
    questions = asked("paris france rome italy", "paris france rome tiber")
    assert measured(questions, num=4).compute() == {"": 1.0, "coverage": 0.5, "capital": 1.0, "capital/coverage": 0.5}
    nothing = measured(questions, num=3).compute()
    assert nothing == {"coverage": 0.0, "capital/coverage": 0.0}


def test_no_words_and_no_questions_give_no_figures():
    assert measured([]).compute() == {}
    empty = measured(asked("a b c d"), words=("<eos>", "<unk>"), vectors=VECTORS[:2]).compute()
    assert empty == {"coverage": 0.0, "capital/coverage": 0.0}


@pytest.mark.parametrize("rule", [cos_add, cos_mul])
def test_answers_are_those_of_the_formula_word_by_word(rule, monkeypatch):
    monkeypatch.setattr(analogy, "MAX_SCORES", 100)  # several blocks
    generator = np.random.default_rng(3)
    words = [f"w{number}" for number in range(31)]
    vectors = generator.normal(size=(31, 5))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    questions, right = [], 0
    for _ in range(40):
        a, b, c, d = generator.choice(31, size=4, replace=False)
        near = unit @ unit[[a, b, c]].T
        moved = (near + 1) / 2
        score = (
            near[:, 1] - near[:, 0] + near[:, 2]
            if rule is cos_add
            else moved[:, 1] * moved[:, 2] / (moved[:, 0] + 1e-3)
        )
        best = max(set(range(31)) - {a, b, c}, key=lambda word: score[word])
        d = best if generator.random() < 0.5 else d
        right += int(d == best)
        questions += asked(" ".join(words[word] for word in (a, b, c, d)))
    found = measured(questions, words, torch.tensor(vectors * generator.uniform(1, 9, size=(31, 1))), rule=rule)
    assert found.counts()["capital"] == Count(right, 40, 40)


@pytest.mark.parametrize("num", [45, None])
def test_counts_equal_those_of_gensim_with_words_in_any_case(tmp_path, num):
    gensim = pytest.importorskip("gensim.models", reason="gensim is the reference")
    generator = np.random.default_rng(5)
    stems = [f"{letter}{number}" for letter in "abc" for number in range(6)]
    offsets = {ending: generator.normal(size=9) for ending in ("", "s", "ed")}
    centres = {stem: generator.normal(size=9) for stem in stems}
    words = [stem + ending for stem in stems for ending in offsets]
    vectors = {word: centres[word[:2]] + offsets[word[2:]] + 0.4 * generator.normal(size=9) for word in words}
    for word in words[::4]:  # the rarer of two forms is near the other
        vectors[word.upper()] = vectors[word] + 0.1 * generator.normal(size=9)
    order = [str(word) for word in generator.permutation(sorted(vectors))]
    table = np.array([vectors[word] for word in order], dtype=np.float32)
    questions = [
        question
        for ending, section in (("s", "gram1"), ("ed", "gram2"))
        for one in stems[::2]
        for other in [*stems[1::2], "zz"]
        for question in asked(
            f"{one} {one}{ending} {other} {other.title()}{ending}", section=section, is_syntactic=True
        )
    ]
    lines = [
        f": {section}\n" + "".join(" ".join(one.words) + "\n" for one in questions if one.section == section)
        for section in ("gram1", "gram2")
    ]
    (tmp_path / "questions.txt").write_text("".join(lines))
    keyed = gensim.KeyedVectors(vector_size=9)
    keyed.add_vectors(order, table)
    score, sections = keyed.evaluate_word_analogies(str(tmp_path / "questions.txt"), restrict_vocab=num or len(order))
    found = measured(questions, ("<eos>", "<unk>", *order), torch.tensor(np.pad(table, ((2, 0), (0, 0)))), num=num)
    assert found.compute()[""] == pytest.approx(score, abs=1e-9)
    assert 0.1 < score < 0.95
    for expected in sections[:-1]:
        count = found.counts()[expected["section"]]
        assert (count.correct, count.answered) == (
            len(expected["correct"]),
            len(expected["correct"]) + len(expected["incorrect"]),
        )


def test_vectors_of_nan_are_said():
    with pytest.raises(Failed, match="hold NaN or infinite"):
        measured(asked("paris france rome italy"), vectors=VECTORS * torch.inf)
