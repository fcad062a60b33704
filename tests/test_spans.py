"""Spans as conlleval reads them, and the schemes in which they are written."""

import random

import pytest

from lmlab.spans import SCHEMES, Span, have_spans, scheme_of, spans, written


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("B-A I-A O B-B", [("A", 0, 2), ("B", 3, 4)]),
        ("B-A B-A I-A", [("A", 0, 1), ("A", 1, 3)]),
        ("I-A I-A O I-A", [("A", 0, 2), ("A", 3, 4)]),  # iob1, or an I- without B-
        ("I-A B-A I-A", [("A", 0, 1), ("A", 1, 3)]),
        ("B-A I-B I-B", [("A", 0, 1), ("B", 1, 3)]),  # another kind starts anew
        ("O O", []),
        ("", []),
        ("S-A B-A E-A S-A", [("A", 0, 1), ("A", 1, 3), ("A", 3, 4)]),
        ("B-A E-A I-A", [("A", 0, 2), ("A", 2, 3)]),
        ("E-A E-A", [("A", 0, 1), ("A", 1, 2)]),
        ("B I O I", [("", 0, 2), ("", 3, 4)]),
        ("B-A-x I-A-x", [("A-x", 0, 2)]),
    ],
)
def test_spans_are_those_of_conlleval(tags, found):
    assert spans(tags.split()) == [Span(*one) for one in found]


def test_a_scheme_writes_what_is_read_again():
    draw = random.Random(0)
    for _ in range(300):
        place, found = 0, []
        while (first := place + draw.randrange(3)) < 9:
            place = min(9, first + draw.randrange(1, 4))
            found.append(Span(draw.choice("AB"), first, place))
        for scheme in SCHEMES:
            assert spans(written(found, 9, scheme)) == found


def test_what_each_scheme_writes():
    found = [Span("A", 0, 2), Span("A", 2, 3), Span("B", 4, 5)]
    assert written(found, 5, "iob1") == ["I-A", "I-A", "B-A", "O", "I-B"]
    assert written(found, 5, "iob2") == ["B-A", "I-A", "B-A", "O", "B-B"]
    assert written(found, 5, "iobes") == ["B-A", "E-A", "S-A", "O", "S-B"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_scheme_is_told_by_the_tags(scheme):
    found = [Span("A", 0, 2), Span("A", 2, 3), Span("B", 4, 5)]
    assert scheme_of([written(found, 5, scheme)]) == scheme


def test_tags_of_words_alone_have_no_scheme():
    assert scheme_of([["NN", "VB", "O"]]) is None
    assert not have_spans(["keyword", "builtin", "O"])
    assert not have_spans(["O"])
    assert have_spans(["O", "B-PER", "I-PER"])
