"""The statistics by example come back from their file as they were, and a damaged file is a mistake."""

import numpy as np
import pytest

from lmlab.run.folder import RunFolder
from lmlab.types import Examples, Mistake

FOUND = Examples(
    sums=np.array([[1 / 3, 2.0, 9.0], [1e-20, 1.0, 4.0]]),
    statistics=("nll", "targets", "bytes"),
    scores={"loss": ("mean", ("nll", "targets")), "bits_per_byte": ("bits", ("nll", "bytes"))},
    kind="documents",
    source="词",
)


def test_what_is_written_is_read(tmp_path):
    run = RunFolder(tmp_path)
    assert run.examples("test") is None
    run.write_examples("test", FOUND)
    found = run.examples("test")
    assert (found.sums == FOUND.sums).all()
    assert found.sums.dtype == np.float64
    for name in ("statistics", "scores", "kind", "source"):
        assert getattr(found, name) == getattr(FOUND, name)
    assert [path.name for path in (tmp_path / "examples").iterdir()] == ["test.npz"]
    run.write_examples("test", None)
    assert run.examples("test") is None


@pytest.mark.parametrize("content", [b"", b"PK half of a file", b"text"])
def test_a_damaged_file_is_named(tmp_path, content):
    run = RunFolder(tmp_path)
    run.write_examples("val", FOUND)
    (tmp_path / "examples" / "val.npz").write_bytes(content)
    with pytest.raises(Mistake, match=r"val\.npz is damaged"):
        run.examples("val")


def test_nothing_pickled_is_read(tmp_path):
    (tmp_path / "examples").mkdir()
    np.savez(tmp_path / "examples" / "val.npz", sums=np.array([{}], dtype=object), about=np.array("{}"))
    with pytest.raises(Mistake, match="damaged"):
        RunFolder(tmp_path).examples("val")
