"""What counts as an example that stands in two splits."""

from lmlab.analysis.overlap import Overlap, overlap
from lmlab.examples import Labelled, SourceTarget
from lmlab.types import Text


def test_white_space_does_not_count_and_words_do():
    found = overlap([Text("a  b"), Text("c")], [Text("a b\n"), Text("ab"), Text("c d")])
    assert found == Overlap(1, 3, "a b")


def test_of_sources_with_targets_the_source_counts_and_of_labelled_texts_all_texts():
    assert overlap([SourceTarget("a", ("x",))], [SourceTarget("a", ("y",)), SourceTarget("b", ("x",))]).num == 1
    assert overlap([Labelled(("a", "b"), ("x",))], [Labelled(("a", "b"), ("y",)), Labelled(("a",), ("x",))]).num == 1


def test_texts_of_a_pair_are_not_run_together():
    assert overlap([Labelled(("a", "b"), ("x",))], [Labelled(("a b",), ("x",))]).num == 0


def test_an_empty_split_has_none():
    assert overlap([Text("a")], []) == Overlap(0, 0, "")
