"""A matrix whose rows are the truth, shaded by share; of many classes the pairs that are mixed up most; labels of several."""

import json

import numpy as np
import pytest

from lmlab.command.confusion import as_csv, as_json
from lmlab.report.confusion import MOST, confusion, table_of
from lmlab.report.html import page
from lmlab.report.result import result


def kept(folder, matrix, labels, split="test"):
    (folder / f"confusion_{split}.json").write_text(json.dumps(as_json(np.array(matrix), labels)), encoding="utf-8")


def test_a_row_is_the_truth_and_is_shaded_by_its_share(tmp_path, tags):
    kept(tmp_path, [[3, 1, 0], [0, 0, 0], [0, 2, 2]], ["<b>", "猫", "c"])
    text = confusion(tmp_path)
    assert tags(text) is not None
    rows = text.split("<tr>")[2:]
    assert ["--share:75%" in rows[0], "--share:25%" in rows[0], rows[2].count("--share:50%")] == [True, True, 2]
    assert "&lt;b&gt;" in rows[0]
    assert "<b>" not in text
    assert "猫" in rows[1]
    assert "–" in rows[1]


def test_of_many_classes_the_pairs_are_shown_that_are_mixed_up_most(tmp_path):
    number = MOST + 1
    matrix = 10 * np.eye(number, dtype=int)
    matrix[3, 5], matrix[2, 1] = 40, 4
    kept(tmp_path, matrix, [f"class{n}" for n in range(number)], split="val")
    text = confusion(tmp_path)
    first, second = text.split("<tr>")[2:]
    assert [name in first for name in ("class3", "class5", "40", "80.0%")] == [True] * 4
    assert [name in second for name in ("class2", "class1", "28.6%")] == [True] * 3
    assert "val split" in text


def test_several_labels_have_precision_and_recall(tmp_path):
    kept(tmp_path, [[[5, 1], [2, 2]]], ["sport"])
    text = confusion(tmp_path)
    assert "66.7%" in text
    assert "50.0%" in text


def test_a_run_without_one_has_no_table_and_one_with_says_where(make_run, tmp_path):
    run = make_run(summary={"test/loss": 1.0})
    assert (confusion(tmp_path), table_of(tmp_path)) == ("", None)
    assert "confusion" not in result(run)
    kept(tmp_path, [[1, 0], [0, 1]], ["a", "b"])
    assert f"confusion       {tmp_path / 'confusion_test.csv'}" in result(run)
    assert "What was taken for what" in page(run)


def test_the_table_of_csv_has_the_truth_in_its_rows():
    lines = as_csv(np.array([[3, 1], [0, 2]]), ["a, b", "c"]).splitlines()
    assert lines == ['truth \\ taken for,"a, b",c', '"a, b",3,1', "c,0,2"]
    lines = as_csv(np.array([[[5, 1], [3, 2]]]), ["a"]).splitlines()
    assert lines == ["label,right,missed,false,right to leave out", "a,2,3,1,5"]


@pytest.mark.parametrize("matrix", [[[0, 0], [0, 0]], [[1, 0], [0, 1]]])
def test_cells_that_are_0_are_left_out(matrix):
    assert as_json(np.array(matrix), ["a", "b"])["cells"] == [[n, n, 1] for n in range(sum(map(sum, matrix)))]
