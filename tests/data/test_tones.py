"""Words of tones: the same everywhere, no word in two splits, every letter its own pitch."""

import numpy as np
import pytest

from lmlab.data.tones import Tones
from lmlab.types import SPLITS, Mistake

VALUES = {
    "num_letters": 4, "longest": 3, "num_train": 20, "num_val": 7, "num_test": 5, "noise": 0.0, "sample_rate": 8000,
}  # fmt: skip


def test_the_splits_have_no_word_in_common_and_are_the_same_again():
    found = {split: [one.text for one in Tones(**VALUES).read(split)] for split in SPLITS}
    assert {split: len(words) for split, words in found.items()} == {"train": 20, "val": 7, "test": 5}
    words = [word for one in found.values() for word in one]
    assert len({*words}) == len(words)
    assert found == {split: [one.text for one in Tones(**VALUES).read(split)] for split in SPLITS}
    first, again = (next(Tones(**VALUES).read("train")).read() for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_letter_is_heard_at_its_pitch():
    tones = Tones(**VALUES)
    for example in tones.read("train"):
        samples = example.read()
        assert samples.dtype == np.float32
        assert np.abs(samples).max() <= 1
        power = np.abs(np.fft.rfft(samples)) ** 2
        frequencies = np.arange(len(power)) * 8000 / len(samples)
        near = [np.abs(frequencies / pitch - 1) < 0.1 for pitch in tones._pitch.values()]
        shares = [power[one].sum() / power.sum() for one in near]
        heard = {letter for letter, share in zip(tones._pitch, shares) if share > 0.001}
        assert heard == {*example.text}


def test_every_value_is_in_the_fingerprint():
    changed = {"num_letters": 5, "longest": 4, "num_train": 21, "noise": 0.1, "sample_rate": 16000}
    found = {Tones(**VALUES | {key: value}).fingerprint() for key, value in changed.items()}
    assert len({*found, Tones(**VALUES).fingerprint()}) == len(changed) + 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"num_letters": 30}, "data.num_letters=30 is wrong"),
        ({"sample_rate": 4000}, "data.sample_rate=4000 is too low for tones"),
        ({"num_train": 100}, "set data.longest=4"),
        ({"noise": -1.0}, "0 or more"),
    ],
)
def test_what_cannot_be_made_is_said(values, said):
    with pytest.raises(Mistake, match=said):
        Tones(**VALUES | values)
