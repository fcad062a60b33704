"""Features and transcripts of recordings: normalised by the training split alone, made once."""

from dataclasses import dataclass

import numpy as np
import pytest

from lmlab.examples import Speech
from lmlab.tokenizer.char import Char
from lmlab.tokenizer.speech_arrays import speech_arrays


@dataclass(frozen=True)
class Halves:
    """Two features of two samples each."""

    sample_rate: int = 8000
    factor: float = 1.0

    @property
    def num_features(self):
        return 2

    def __call__(self, samples):
        return (self.factor * samples.reshape(-1, 2)).astype(np.float32)


class Few:
    """Recordings of each split, given."""

    example = Speech

    def __init__(self, **splits):
        self.splits, self.reads = splits, 0

    def fingerprint(self):
        return repr({split: [(text, list(samples)) for text, samples in rows] for split, rows in self.splits.items()})

    def read(self, split):
        for text, samples in self.splits.get(split, ()):
            yield Speech(text, 8000, lambda samples=samples: self._counted(samples))

    def _counted(self, samples):
        self.reads += 1
        return np.array(samples, np.float32)


CHAR = Char(vocab_size=None, min_count=1)
TRAIN = [("ab", [0, 1, 2, 3]), ("b", [4, 5])]


def made(folder, features=None, **splits):
    source = Few(**{"train": TRAIN, **splits})
    return source, speech_arrays(source, CHAR, features or Halves(), folder)


def test_features_have_mean_0_and_variance_1_over_the_training_split(tmp_path):
    _, arrays = made(tmp_path, val=[("ba", [9, 9])])
    rows = arrays.train
    whole = np.concatenate([rows.features_of(row) for row in range(len(rows))])
    np.testing.assert_allclose(whole.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(whole.std(axis=0), 1, rtol=1e-5)
    assert rows.lengths().tolist() == [2, 1]
    assert [arrays.tokenizer.decode(rows.ids_of(row).tolist()) for row in range(2)] == ["ab", "b"]
    np.testing.assert_allclose(arrays.val.features_of(0)[0], (9 - np.array([2, 3])) / np.std([0, 2, 4]), rtol=1e-5)


def test_what_is_held_out_changes_nothing_of_the_training_split(tmp_path):
    _, one = made(tmp_path, val=[("ba", [9, 9])], test=[("c", [7, 7])])
    _, other = made(tmp_path, val=[("zz", [-50, 90])])
    for name in ("frames", "mean", "scale", "ids"):
        np.testing.assert_array_equal(getattr(one.train, name), getattr(other.train, name))
    assert one.path != other.path


def test_recordings_are_read_once_for_a_content(tmp_path):
    source, _ = made(tmp_path, val=[("ba", [9, 9])])
    again, _ = made(tmp_path, val=[("ba", [9, 9])])
    assert (source.reads, again.reads) == (3, 0)
    other, _ = made(tmp_path, features=Halves(factor=2.0), val=[("ba", [9, 9])])
    assert other.reads == 3


def test_a_split_without_recordings_is_empty_and_counts_are_kept(tmp_path):
    _, arrays = made(tmp_path, val=[("ba", [9, 9])])
    assert len(arrays.test) == 0
    assert arrays.test.lengths().tolist() == []
    assert arrays.meta["splits"]["train"] == {
        "tokens": 3, "bytes": 3, "words": arrays.meta["splits"]["train"]["words"], "characters": 3, "documents": 2, "frames": 3,
    }  # fmt: skip


@pytest.mark.parametrize("broken", ["train_frames.f16", "mean.npy", "meta.json"])
def test_a_damaged_folder_is_made_again(tmp_path, broken):
    _, arrays = made(tmp_path, val=[("ba", [9, 9])])
    expected, path = arrays.train.features_of(1), arrays.path / broken
    path.unlink()  # rather than cut short: the file is still mapped
    path.write_bytes(b"")
    _, again = made(tmp_path, val=[("ba", [9, 9])])
    np.testing.assert_allclose(again.train.features_of(1), expected)
