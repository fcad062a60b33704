"""JSON files survive a crash and hold what JSON has no word for."""

import json
import math
import os

import numpy as np
import pytest

from lmlab.run import json_file


def test_non_finite_numbers_are_valid_json_and_come_back():
    text = json_file.dumps({"a": math.nan, "b": [math.inf, -math.inf], "c": 1.5})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": "NaN", "b": ["Infinity", "-Infinity"], "c": 1.5}
    value = json_file.loads(text)
    assert math.isnan(value["a"])
    assert value["b"] == [math.inf, -math.inf]


def test_numbers_of_numpy_and_paths_become_plain(tmp_path):
    assert json_file.loads(json_file.dumps({"a": np.float32(0.5), "b": np.int64(3), 4: tmp_path})) == {
        "a": 0.5,
        "b": 3,
        "4": str(tmp_path),
    }


def test_chinese_is_readable_in_the_file(tmp_path):
    json_file.write(tmp_path / "a.json", {"text": "世界"})
    assert "世界" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    json_file.write(tmp_path / "a.json", {"step": 1})

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        json_file.write(tmp_path / "a.json", {"step": 2})
    assert json_file.read(tmp_path / "a.json") == {"step": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_missing_file_reads_as_empty(tmp_path):
    assert json_file.read(tmp_path / "a.json") == {}
