"""Metrics of examples add up by example to their figures, in any batches; a second evaluation begins anew."""

import numpy as np
import pytest
import torch

from lmlab.examples import Answer, Question, QuestionRows
from lmlab.metric.answer_scores import AnswerScores
from lmlab.metric.label_scores import LabelScores
from lmlab.metric.per_example import Comparable, PerExample
from lmlab.metric.tag_scores import TagScores
from lmlab.metric.text_scores import TextScores
from lmlab.metric.transcripts import Transcripts
from lmlab.metric.written import SCORES as WRITTEN
from lmlab.metric.written import scored
from lmlab.report.corpus_comparison import SCORES

DRAW = torch.Generator().manual_seed(0)


def labels(multi_label):
    metric = LabelScores(num_classes=3, multi_label=multi_label)
    logits = torch.randn(7, 3, generator=DRAW)
    targets = (torch.rand(7, 3, generator=DRAW) < 0.5).float() if multi_label else torch.arange(7) % 3
    order = torch.tensor([3, 1, 0, 6, 2, 5, 4])
    return metric, np.arange(1, 8), [(logits[part], targets[part], part) for part in order.split(3)]


def tags(names):
    metric = TagScores(labels=names)
    places = torch.tensor([0, 1, 2, 4, 5, 7, 8, 9, 10])  # sentences of three, two and four words
    found, targets = (torch.randint(len(names), (9,), generator=DRAW) for _ in range(2))
    parts = [torch.tensor(part) for part in ([5, 6], [0, 1, 2, 3, 4], [7, 8])]
    return metric, np.array([3, 6, 11]), [(torch.tensor(0.5), found[one], targets[one], places[one]) for one in parts]


WORDS = ["a", "cat", "sat", "on", "the", "mat", "dog", "ran", "far"]


def texts(names):
    references = [("a cat sat on the mat",), ("the dog ran far on the mat", "a dog ran"), ("a cat",), ("dog ran far",)]
    written = [[0, 1, 2, 3, 4, 5], [4, 6, 7, 8, 3], [0, 1], []]
    metric = TextScores(
        scores=names, references=lambda: references, decode=lambda ids: " ".join(WORDS[one] for one in ids)
    )
    sizes, batches = torch.tensor([3, 2, 1, 2]), []
    for part in (torch.tensor([2, 0]), torch.tensor([3, 1])):
        nll = torch.rand(int(sizes[part].sum()), generator=DRAW)
        batches.append((nll, [written[one] for one in part], part, sizes[part]))
    return metric, np.arange(1, 5), batches


def transcripts():
    metric = Transcripts(spell=lambda tokens: "".join("ab c"[token] for token in tokens))
    found, said = [[0, 1], [2, 3, 3], [1]], [[0, 1], [3, 2, 3], [0]]
    batches = [
        (torch.rand(len(part), generator=DRAW), [found[one] for one in part], [said[one] for one in part], part)
        for part in (torch.tensor([2]), torch.tensor([1, 0]))
    ]
    return metric, np.arange(1, 4), batches


def spans_of_words():
    """Tokens of the contexts are their words."""
    places = [[0, 3], [4, 7], [8, 11], [0, 3], [4, 9], [0, 3]]
    return QuestionRows(
        question_ids=np.array([1, 1, 1]),
        question_ends=np.array([1, 2, 3]),
        context_ids=np.arange(6),
        places=np.array(places),
        context_ends=np.array([3, 5, 6]),
        context_of=np.array([0, 1, 2]),
        answers=np.array([[1, 2], [0, 0]]),
        answer_ends=np.array([1, 1, 2]),
        is_answerable=np.array([True, False, True]),
    )


def answers():
    questions = [
        Question("0", "?", "ann met bob", (Answer("met bob", 4),)),
        Question("1", "?", "kim slept", ()),
        Question("2", "?", "kim", (Answer("kim", 0),)),
    ]
    metric = AnswerScores(questions=lambda: questions, rows=spans_of_words(), threshold=0.0)
    windows = [(0, 2, 2, 3.0, 1.0), (2, 0, 0, 3.0, 1.0), (1, 0, 1, 1.0, 3.0), (0, 0, 0, 2.0, 1.0)]
    batches = []
    for part in (windows[:1], windows[1:]):
        rows = torch.tensor(part)
        batches.append(
            (torch.tensor(1.0), torch.tensor(1), rows[:, 0].long(), rows[:, 1:3].long(), rows[:, 3:])
        )  # fmt: skip
    return metric, np.arange(1, 4), batches


CASES = {
    "labels": lambda: labels(False),
    "several labels": lambda: labels(True),
    "spans": lambda: tags(["B-A", "I-A", "O"]),
    "tags": lambda: tags(["noun", "verb"]),
    "texts": lambda: texts([*WRITTEN]),
    "exact": lambda: texts(["exact_match"]),
    "transcripts": transcripts,
    "answers": answers,
}


@pytest.mark.parametrize("name", CASES)
def test_sums_of_examples_give_the_figures(name):
    metric, ends, batches = CASES[name]()
    assert isinstance(metric, Comparable)
    metric.by_example = PerExample(ends=ends, units=metric.units)
    for _ in range(2):
        for batch in batches:
            metric.update(*batch)
        figures = metric.compute()
        metric.reset()
        totals = metric.by_example.totals
        assert totals.shape == (len(ends), len(metric.units))
        for figure, (function, taken) in metric.scores.items():
            columns = [list(metric.units).index(one) for one in taken]
            total = float(SCORES[function](totals[:, columns].sum(axis=0)[None])[0])
            assert total == pytest.approx(figures[figure], rel=1e-5), figure


def test_an_example_has_what_is_its_own():
    metric, ends, batches = CASES["transcripts"]()
    metric.by_example = PerExample(ends=ends, units=metric.units)
    for batch in batches:
        metric.update(*batch)
    metric.compute()
    right = list(metric.units).index("right")
    assert metric.by_example.totals[:, right].tolist() == [1, 0, 0]


def test_every_figure_of_a_score_is_a_figure_of_its_statistics():
    for name in WRITTEN:
        metric, *_ = texts([name])
        figures = {*scored([name], ["a b"], [["a b"]])}
        assert figures == {*metric.scores} - {"loss", "perplexity"} or name == "distinct"
