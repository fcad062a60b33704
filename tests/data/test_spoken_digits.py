"""The Free Spoken Digit Dataset: its official split, and a speaker held out."""

import os
from pathlib import Path

import pytest

from lmlab.data.spoken_digits import DIGITS, SpokenDigits
from lmlab.types import SPLITS, Mistake

DATA = Path(os.environ.get("LMLAB_DATA", "/nowhere"))


def made(root, **values):
    given = {"speaker": None, "val": 0.2, "sample_rate": 8000, "on_error": "strict", "cache_dir": None}
    return SpokenDigits(root=str(root), folders=["fsdd"], **given | values)


@pytest.fixture(scope="module")
def folder(write_wav, tmp_path_factory):
    root = tmp_path_factory.mktemp("digits")
    for digit in range(3):
        for speaker in ("ann", "ben_b"):
            for number in range(12):
                write_wav(root / "fsdd/recordings" / f"{digit}_{speaker}_{number}.wav", seconds=0.01)
    (root / "fsdd/recordings/README.md").write_text("no recording")
    return root


def test_the_first_five_recordings_of_each_are_the_test_set(folder):
    found = {split: list(made(folder).read(split)) for split in SPLITS}
    assert len(found["test"]) == 3 * 2 * 5
    assert len(found["train"]) + len(found["val"]) == 3 * 2 * 7
    assert 0 < len(found["val"]) < 20
    assert {one.text for one in found["train"]} == set(DIGITS[:3])
    assert found["test"][0].read().shape == (80,)


def test_a_speaker_held_out_is_the_whole_test_set(folder):
    found = {split: list(made(folder, speaker="ben_b").read(split)) for split in SPLITS}
    assert len(found["test"]) == len(found["train"]) + len(found["val"]) == 36
    assert made(folder).fingerprint() != made(folder, speaker="ben_b").fingerprint()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"speaker": "carl"}, "data.speaker=carl is none of those that speak; set it to one of ann, ben_b"),
        ({"val": 0}, "data.val=0 is no share"),
        ({"on_error": "ignore"}, "data.on_error=ignore is not known"),
        ({"sample_rate": 8}, "data.sample_rate=8 is too low"),
    ],
)
def test_what_does_not_fit_is_said(folder, values, said):
    with pytest.raises(Mistake, match=said):
        made(folder, **values)


def test_a_missing_data_set_says_where_people_get_it(tmp_path):
    with pytest.raises(Mistake, match=r"get it from github\.com/Jakobovski"):
        made(tmp_path)


@pytest.mark.real_data
@pytest.mark.skipif(not (DATA / "speech/fsdd").is_dir(), reason="LMLAB_DATA has no speech/fsdd")
def test_the_real_set_has_its_published_sizes():
    source = SpokenDigits(
        root=str(DATA),
        folders=["speech/fsdd"],
        speaker=None,
        val=0.1,
        sample_rate=8000,
        on_error="strict",
        cache_dir=None,
    )
    sizes = {split: sum(1 for _ in source.read(split)) for split in SPLITS}
    assert sizes["test"] == 300
    assert sizes["train"] + sizes["val"] == 2700
    assert sum(len(one.read()) for one in source.read("test")) / 8000 == pytest.approx(131, abs=15)
