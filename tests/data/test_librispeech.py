"""LibriSpeech's folders, with wav in place of flac."""

import pytest

from lmlab.data.librispeech import Librispeech
from lmlab.types import Mistake


def made(root):
    return Librispeech(
        root=str(root), folders=["LibriSpeech"], parts={"train": ["train"], "val": ["dev"], "test": ["test"]},
        lowercase=True, sample_rate=16000, on_error="strict", cache_dir=None,
    )  # fmt: skip


def test_each_line_of_a_chapters_transcripts_is_a_recording(write_wav, tmp_path):
    for part in ("train", "dev", "test"):
        for speaker in ("19", "26"):
            chapter = tmp_path / "LibriSpeech" / part / speaker / "7"
            for number in (0, 1):
                write_wav(chapter / f"{speaker}-7-{number:04d}.wav", rate=16000)
            lines = [f"{speaker}-7-{number:04d} HELLO {'AGAIN ' * number}WORLD" for number in (0, 1)]
            (chapter / f"{speaker}-7.trans.txt").write_text("\n".join(lines) + "\n")
    assert [one.text for one in made(tmp_path).read("val")] == ["hello world", "hello again world"] * 2


def test_a_recording_that_is_not_there_is_named(tmp_path):
    for part in ("train", "dev", "test"):
        chapter = tmp_path / part / "19" / "7"
        chapter.mkdir(parents=True)
        (chapter / "19-7.trans.txt").write_text("19-7-0000 HELLO\n")
    with pytest.raises(Mistake, match=r"19-7-0000\.flac \(19-7\.trans\.txt, line 1\) does not exist"):
        list(made(tmp_path).read("train"))


def test_a_folder_without_transcripts_is_said(tmp_path):
    for part in ("train", "dev", "test"):
        (tmp_path / part).mkdir()
    with pytest.raises(Mistake, match=r"has no SPEAKER/CHAPTER/\*\.trans\.txt"):
        made(tmp_path)
