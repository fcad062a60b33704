"""Speech recognition as a user does it: trained, continued after a kill, asked what is said, refused where parts do not fit."""

import sys
import wave
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.data.tones import Tones
from lmlab.run.store import find

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import torture

DATA = {
    "num_letters": 3,
    "longest": 4,
    "num_train": 60,
    "num_val": 12,
    "num_test": 12,
    "noise": 0.01,
    "sample_rate": 8000,
}
SMALL = (
    "task=speech_recognition", *(f"data.{key}={value}" for key, value in DATA.items()), "logger=none", "model.dim=16",
    "model.num_layers=1", "trainer.threads=1", "trainer.accelerator=cpu", "batch.size=8", "trainer.max_epochs=2",
    "trainer.val_check_interval=5", "checkpoint.every=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    output = tmp_path_factory.mktemp("runs")
    assert cli.run(["train", *SMALL, f"output_dir={output}"]) == 0
    return find("latest", output)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two words of the test split as files, and another file."""
    folder = tmp_path_factory.mktemp("recordings")
    for name, example in zip(("one", "two"), Tones(**DATA).read("test"), strict=False):
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes((example.read() * 32767).astype("<i2").tobytes())
    (folder / "notes.txt").write_text("no recording")
    return folder


def test_a_run_ends_with_scores_baselines_and_transcripts_beside_what_was_said(run):
    scores = {"loss", "wer", "cer", "accuracy"}
    assert {f"{split}/{name}" for split in ("val", "test") for name in scores} <= set(run.summary)
    assert set(run.summary["baselines"]) == {"most frequent transcript"}
    assert run.texts()["final"].count("->") == 3
    assert (run.path / "features.json").exists()


def test_evaluate_gives_the_figures_of_the_summary(run, capsys):
    assert cli.run(["evaluate", str(run.path), "split=val"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(found["val/loss"]) == pytest.approx(run.summary["val/loss"], abs=1e-3)


def test_figures_follow_from_what_is_kept_by_example(run, adds_up):
    assert adds_up(run)[1] == {"wer", "cer", "accuracy", "loss"}


def test_predict_writes_down_a_recording_or_those_of_a_folder(run, recordings, capsys):
    assert cli.run(["predict", str(run.path), f"path={recordings / 'one.wav'}"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert cli.run(["predict", str(run.path), f"path={recordings}"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["one.wav", "two.wav"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "text=a"], "reads recordings: lmlab predict RUN path=FILE.wav"),
        (["predict", "path=/nowhere/a.wav"], "path=/nowhere/a.wav does not exist"),
        (["predict", "path={folder}/notes.txt"], "notes.txt is no .wav file"),
        (["generate", "prompt=a"], "writes no text"),
    ],
)
def test_what_a_recogniser_cannot_do_is_said_in_a_sentence(run, recordings, words, said, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    assert cli.run([words[0], str(run.path), *[word.format(folder=recordings) for word in words[1:]]]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["data=stdlib"],
            "data=stdlib is not for task=speech_recognition, which needs examples of the type Speech; choose ",
        ),
        (["head=next_token"], "head=next_token is not for task=speech_recognition; choose attention, ctc, joint"),
        (["decoding=joint"], "decoding=joint is not for head=ctc; choose ctc_beam, ctc_greedy"),
        (["head=attention", "decoding=ctc_beam"], "decoding=ctc_beam is not for head=attention; choose attention"),
        (["head=attention", "strategy=fsdp"], "a transcript cannot be written by weights in pieces"),
        (["model=cnn", "head=joint"], "model=cnn can only be an encoder"),
        (["batch=windows"], "batch=windows is not for task=speech_recognition; choose speech"),
        (["trainer.max_tokens=1000"], "trainer.max_tokens counts running text"),
        (["batch.seq_len=2"], "batch.seq_len=2 frames is shorter than all recordings"),
        (["monitor=val/wre"], "did you mean val/wer"),
        (["frontend.factor=3"], "frontend.factor=3 is not what two convolutions make"),
        (["features.num_mels=200"], "features.num_mels=200 makes bands that are narrower"),
        (["data.sample_rate=4000"], "data.sample_rate=4000 is too low for tones"),
        (["frontend=stacking", "frontend.factor=90"], "has more tokens than its recording has states"),
        (["model.embedding.freeze=true"], "model.embedding is of words"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_run_is_made(tmp_path, words, said, capsys):
    group = words[0].split("=")[0]
    kept = [word for word in SMALL if not word.startswith(f"{group}.")]
    assert cli.run(["train", *kept, f"output_dir={tmp_path}", *words]) == 2
    assert said in capsys.readouterr().err
    assert not [*tmp_path.glob("*/*")]


def test_language_modelling_refuses_recordings(capsys):
    assert cli.run(["train", "data=tones"]) == 2
    assert (
        "data=tones is not for task=language_modeling, which needs examples of the type Text" in capsys.readouterr().err
    )


@pytest.mark.parametrize("model", ["transformer", "dilated_cnn", "mamba2"])
def test_other_encoders_train_as_well(model, tmp_path):
    heads = ["model.attention.num_heads=2"] if model == "transformer" else []
    chosen = [
        *SMALL,
        f"model={model}",
        *heads,
        "frontend=stacking",
        "decoding=ctc_beam",
        f"output_dir={tmp_path}",
    ]
    assert cli.run(["train", *chosen, "trainer.max_epochs=null", "trainer.max_steps=2"]) == 0


@pytest.mark.parametrize("head", ["attention", "joint"])
def test_with_a_decoder_it_trains_is_evaluated_alike_and_hears_a_file(head, tmp_path, recordings, capsys):
    words = ["model=transformer", "model.attention.num_heads=2", "model.cross_attention.num_heads=2", f"head={head}"]
    assert cli.run(["train", *SMALL, *words, f"output_dir={tmp_path}"]) == 0
    run = find("latest", tmp_path)
    assert {"test/loss", "test/wer", "test/cer", "test/accuracy"} <= set(run.summary)
    assert run.texts()["final"].count("->") == 3
    capsys.readouterr()
    assert cli.run(["evaluate", str(run.path), "split=val"]) == 0
    found = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(found["val/wer"]) == pytest.approx(run.summary["val/wer"], abs=1e-3)
    assert cli.run(["predict", str(run.path), f"path={recordings / 'one.wav'}"]) == 0
    heard = capsys.readouterr().out
    assert len(heard.splitlines()) == 1
    said = ["generate", str(run.path), f"prompt={recordings / 'one.wav'}"]
    assert cli.run(said) == 0
    assert capsys.readouterr().out == heard
    assert cli.run([*said, "num_beams=6", "num=2"]) == 0
    assert cli.run([*said, "temperature=1.0", "num=2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize("head", ["ctc", "joint"])
def test_killed_and_resumed_it_ends_with_the_same_bits(head, tmp_path):
    chosen = [*SMALL, f"project={torture.PROJECT}", "batch.micro_size=4", "model.dropout=0.2", "trainer.log_every=1"]
    chosen += [f"head={head}"]
    reference, one = (torture.Trial(tmp_path / name, chosen) for name in ("reference", "killed"))
    assert reference.finish() == 0, reference.output.read_text()
    assert one.kill_when(lambda: one.step >= 7)
    assert one.finish() == 0, one.output.read_text()
    assert torture.differences(reference, one) == []
