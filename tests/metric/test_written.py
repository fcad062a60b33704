"""Scores of written texts: against sacreBLEU's and rouge_score's own functions, and cases counted by hand."""

import pytest
import sacrebleu
import torch
from rouge_score.rouge_scorer import RougeScorer

from lmlab.metric.text_scores import TextScores, figures
from lmlab.metric.written import SCORES, scored, signatures
from lmlab.types import Mistake

TEXTS = ["the cat sat on the mat .", "a dog runs", "two birds"]
REFERENCES = [("a cat sat on the mat .", "the cat is on the mat ."), ("a dog runs fast",), ("two birds fly", "birds")]


def test_bleu_and_chrf_are_sacrebleus_with_any_number_of_references():
    streams = [[own[0] for own in REFERENCES], [own[1] if len(own) > 1 else None for own in REFERENCES]]
    assert scored(["bleu"], TEXTS, REFERENCES)["bleu"] == sacrebleu.corpus_bleu(TEXTS, streams).score
    assert scored(["chrf"], TEXTS, REFERENCES)["chrf"] == sacrebleu.corpus_chrf(TEXTS, streams).score


def test_a_missing_reference_does_not_count_as_an_empty_one():
    one = [(own[0],) for own in REFERENCES]
    assert scored(["bleu"], TEXTS, one)["bleu"] == sacrebleu.corpus_bleu(TEXTS, [[own[0] for own in one]]).score


def test_the_signature_says_how_bleu_counted():
    assert "tok:13a" in signatures(["bleu"], TEXTS, REFERENCES)["bleu"]
    assert "tok:zh" in signatures(["bleu", "rouge"], ["我们 走"], [("我们走吧。",)])["bleu"]
    assert set(signatures(["chrf", "rouge"], TEXTS, REFERENCES)) == {"chrf"}


def test_chinese_is_counted_by_characters():
    found = scored(["bleu", "rouge"], ["我们今天走"], [("我们明天走",)])
    assert found["bleu"] == sacrebleu.corpus_bleu(["我们今天走"], [["我们明天走"]], tokenize="zh").score
    assert found["rouge1"] == pytest.approx(4 / 5)
    assert found["rouge2"] == pytest.approx(2 / 4)


def test_rouge_is_the_mean_of_the_best_over_the_references():
    names = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(names, use_stemmer=True)
    found = scored(["rouge"], TEXTS, REFERENCES)
    for name in names:
        best = [
            max(scorer.score(reference, text)[name].fmeasure for reference in own)
            for text, own in zip(TEXTS, REFERENCES)
        ]
        assert found[name] == pytest.approx(sum(best) / 3)


def test_an_exact_match_is_any_reference_white_space_aside():
    texts, references = ["a  b", "c", "d "], [("x", "a b"), ("C",), ("d",)]
    assert scored(["exact_match"], texts, references) == {"exact_match": pytest.approx(2 / 3)}


def test_distinct_counts_different_words_among_all():
    found = scored(["distinct"], ["a b a", "a b", "c"], [("",)] * 3)
    assert found == {"distinct1": pytest.approx(3 / 6), "distinct2": pytest.approx(2 / 3)}


def made(references=REFERENCES, scores=("exact_match",)):
    letters = "abcdefgh"
    return TextScores(
        scores=scores, references=lambda: references, decode=lambda ids: "".join(letters[index] for index in ids)
    )


def test_texts_meet_the_references_of_their_places_in_any_order():
    metric = made([("ab",), ("c", "h"), ("",)])
    metric.update(torch.tensor([1.0, 3.0]), [[7], []], torch.tensor([1, 2]))
    metric.update(torch.tensor([2.0]), [[0, 1]], torch.tensor([0]))
    found = metric.compute()
    assert found["exact_match"] == 1.0
    assert found["loss"] == pytest.approx(2.0, abs=1e-5)
    assert metric.last == {0: "ab", 1: "h", 2: ""}


def test_a_part_of_the_split_is_scored_as_such():
    metric = made([("ab",), ("c",)])
    metric.update(torch.tensor([1.0]), [[2]], torch.tensor([1]))
    assert metric.compute()["exact_match"] == 1.0


def test_a_diverged_loss_is_none():
    metric = made([("ab",)])
    metric.update(torch.tensor([float("nan")]), [[0]], torch.tensor([0]))
    assert str(metric.compute()["loss"]) == "nan"


def test_nothing_written_has_no_score():
    metric = made()
    metric.update(torch.zeros(0), [], torch.zeros(0, dtype=torch.long))
    assert str(metric.compute()["exact_match"]) == "nan"


@pytest.mark.parametrize("name", SCORES)
def test_the_figures_of_a_score_are_known_before_there_are_texts(name):
    assert set(figures([name])) == set(scored([name], TEXTS, REFERENCES))


def test_an_unknown_score_is_refused_with_those_that_are_known():
    with pytest.raises(Mistake, match=r"metric\.scores has 'blue'.*bleu, chrf"):
        made(scores=("blue",))
