"""Wrong command lines: one sentence each, exit code 2, no traceback, no run."""

import gzip
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from lmlab import cli
from lmlab.run.lock import Lock
from lmlab.run.store import find

EXPERIMENT = [  # overrides of a tiny experiment; what the sentence has to say
    # Names.
    ("modle=lstm", "'modle'", "did you mean model?", "lmlab train --help"),
    ("model=lstmm", "there is no model=lstmm", "did you mean lstm", "lmlab list model"),
    ("model/attenton=dot", "'model/attenton'", "did you mean model/attention"),
    ("model/attention=dott", "model/attention=dott", "did you mean dot?", "lmlab list model/attention"),
    ("model/cell=lstm", "model/cell has no place here", "the chosen model has no such part", "--cfg job"),
    ("model.dimm=3", "'model.dimm'", "did you mean model.dim "),
    ("lr=0.1", "'lr'", "did you mean optimizer.lr?"),
    ("learning_rate=0.1", "'learning_rate'", "there are batch, data"),
    ("paper=karpathy2022", "did you mean karpathy2022/shakespeare_cpu?"),
    ("logger=unknown", "there is no logger=unknown", "none, tensorboard, wandb"),
    ("logger=[wandb,unknown]", "there is no logger=unknown"),
    ("model=null", "model cannot be taken away", "lmlab list model"),
    ("~model", "model cannot be taken away", "lmlab list model"),
    ("~seed", "seed cannot be taken away"),
    ("~trainer.max_steps", "trainer.max_steps cannot be taken away"),
    ("~nothing", "'nothing'"),
    ("+new=1", "+new", "which nothing reads"),
    ("+optimzer.lr=1", "+optimzer.lr", "did you mean optimizer.lr"),
    ("+model.foo=1", "'model.foo'", "Transformer takes no foo"),
    ("+optimizer=sgd", "without +: optimizer=sgd"),
    ("--confg", "no flag --confg", "--cfg"),
    ("--config-path=x", "no flag --config-path"),
    ("--cfg", "--cfg needs a value"),
    ("--cfg nonsense", "--cfg nonsense", "job, hydra or all"),
    ("--cfg job --package nonsense", "no package 'nonsense'"),
    ("--cfg job --package modle", "did you mean model?"),
    ("--resolve", "--cfg job"),
    # Grammar.
    ("model", "'model' is not of the form key=value", "lmlab train --help"),
    ("optimizer.lr=", "optimizer.lr= is wrong", "a number"),
    ("model=[", "'model'", "not understood"),
    ("tags=[a", "'tags'", "not understood"),
    ("model=lstm,gru", "several experiments", "lmlab train -m"),
    ("seed=range(3)", "several experiments", "lmlab train -m"),
    # Types.
    ("model.dim=abc", "model.dim=abc", "a whole number"),
    ("model.dim=1.5", "model.dim=1.5", "a whole number"),
    ("model.dim=null", "model.dim=null", "a whole number"),
    ("model.dim=true", "model.dim=true", "a whole number"),
    ("seed='5'", "seed=5", "a whole number"),
    ("optimizer.lr=fast", "optimizer.lr=fast", "expected a number"),
    ("optimizer.lr=1e", "optimizer.lr=1e", "expected a number"),
    ("model.norm_first=maybe", "model.norm_first=maybe", "true or false"),
    ("model.norm_first=1", "model.norm_first=1", "true or false"),
    ("project=null", "project=null", "text"),
    ("project=[a]", "project=['a']", "text"),
    ("tags=abc", "tags=abc", "a list such as [a,b]"),
    ("tags=[1,2]", "tags=[1, 2]", "each text"),
    ("optimizer=adamw optimizer.betas=[0.9]", "optimizer.betas=[0.9]", "a list of 2, each a number"),
    ("data.split.val=null", "data.split.val=null", "a number"),
    ("trainer.max_steps=soon", "trainer.max_steps=soon", "a whole number or auto"),
    ("trainer.max_time=tomorrow", "trainer.max_time=tomorrow", "DD:HH:MM:SS"),
    ("trainer.precision=17-bits", "trainer.precision=17-bits", "bf16-mixed"),
    ("trainer.devices=many", "trainer.devices=many", "a whole number"),
    ("direction=up", "direction=up", "minimize or maximize"),
    ("guard.on_nan=explode", "guard.on_nan=explode", "stop, skip, off"),
    ("model._target_=nothing.Here", "model._target_=nothing.Here", "cannot be imported"),
    # Ranges.
    ("model.dim=-16", "model.dim=-16", "above 0"),
    ("batch.seq_len=0", "batch.seq_len=0", "above 0"),
    ("batch.num_workers=-1", "batch.num_workers=-1", "from 0 up"),
    ("seed=-1", "seed=-1", "from 0 up"),
    ("seed=99999999999999999999", "seed=99999999999999999999", "up to"),
    ("optimizer.lr=nan", "optimizer.lr=nan", "above 0"),
    ("optimizer.weight_decay=-1", "optimizer.weight_decay=-1", "from 0 up"),
    ("optimizer=adamw optimizer.betas=[0.9,1.5]", "optimizer", "beta", "1.5"),
    ("model.dropout=1.5", "model.dropout=1.5", "from 0 up to, but not including, 1"),
    ("trainer.max_steps=0", "trainer.max_steps=0", "from 1 up"),
    ("trainer.val_check_interval=0", "trainer.val_check_interval=0", "above 0"),
    ("trainer.limit_val_batches=2.5", "trainer.limit_val_batches=2.5", "share"),
    ("checkpoint.keep=0", "checkpoint.keep=0", "above 0"),
    ("samples.num=-1", "samples.num=-1", "from 0 up"),
    ("early_stopping.patience=-1", "early_stopping.patience=-1", "from 0 up"),
    ("model/pattern=sliding_window model.pattern.window=0", "model.pattern.window=0", "1 or more"),
    ("tokenizer.vocab_size=1", "tokenizer.vocab_size=1", "too small"),
    ("model.params=huge", "model.params=huge", "5M"),
    ("model.params=10", "model.params=10", "too small"),
    # What does not fit together.
    ("model.dim=10", "model.dim=10", "model.attention.num_heads=4", "a multiple of 4"),
    ("model.dim=12", "model.dim=12", "model/position=rotary", "a multiple of 8"),
    ("batch.size=5 batch.micro_size=2", "batch.size=5", "batch.micro_size=2", "a multiple of 2"),
    ("schedule.warmup_steps=100", "schedule.warmup_steps=100", "2 steps", "trainer.max_steps"),
    ("batch.seq_len=100000", "batch.seq_len=100000", "tokens"),
    ("model/position=learned model.position.max_length=2", "model.position.max_length=2", "12 positions"),
    ("optimizer=sgd optimizer.nesterov=true", "optimizer", "momentum"),
    ("monitor=val/los", "monitor=val/los", "did you mean val/loss?"),
    # Data.
    ("data.path=missing.txt", "data.path=missing.txt", "does not exist", "good.txt"),
    ("data.path=null", "data.path", "a file, a folder or a pattern"),
    ("data.path=empty.txt", "data.path=empty.txt", "is empty"),
    ("data.path=binary.txt", "binary.txt", "not text", "data.on_error=replace"),
    ("data.path=utf16.txt", "utf16.txt", "data.encoding=utf-16"),
    ("data.path=latin.txt", "latin.txt", "data.encoding=latin-1"),
    ("data.path=small.txt", "data.path=small.txt", "2 characters", "at least 20"),
    ("data.path=damaged.gz", "damaged.gz"),
    ("data.path=folder", "data.path=folder", "without .txt or .gz"),
    ("data.path=*.nothing", "data.path=*.nothing", "does not exist"),
    ("data.encoding=klingon", "data.encoding=klingon", "utf-8"),
    ("data.split.val=2", "data.split.val=2", "not a fraction"),
    # The machine.
    ("output_dir=regular/runs", "output_dir=regular/runs", "cannot be written"),
    ("cache_dir=regular/cache", "regular/cache", "LMLAB_CACHE"),
    ("trainer.accelerator=tpu", "trainer.accelerator=tpu", "auto, cpu, cuda or mps"),
    ("trainer.devices=2", "trainer.devices=2", "set strategy=ddp"),
    ("trainer.num_nodes=2", "trainer.num_nodes=2", "set strategy=ddp"),
    ("trainer.num_nodes=2 strategy=ddp", "trainer.num_nodes=2", "NODE_RANK", "MASTER_ADDR"),
    ("trainer.precision=16-mixed", "trainer.precision=16-mixed", "bf16-mixed"),
    # Weights to start from.
    ("init_from=missing", "init_from", "no run 'missing'"),
    ("init_from=small.txt", "init_from", "damaged"),
]

OTHERS = [  # whole command lines
    ("trian", "no verb 'trian'", "did you mean train?", "lmlab --help"),
    ("train train", "'train' is not of the form key=value"),
    ("train data=ptb", "ptb.train.txt", "data.root", "LMLAB_DATA"),
    ("train data=wikitext2", "wiki.train.tokens", "data.root", "LMLAB_DATA"),
    ("train data=tinyshakespeare data.root=folder", "input.txt", "not found in", "data.root"),
    ("check modle=lstm", "did you mean model?", "lmlab check"),
    ("prepare --multirun", "-m belongs to lmlab train"),
    ("prepare data=txt", "there is no data=txt", "did you mean text?"),
    ("prepare data.pth=x", "'data.pth'", "lmlab prepare"),
    ("list modle", "no group 'modle'", "did you mean model?"),
    ("completion fish", "bash or zsh"),
    ("evaluate nothing", "no run 'nothing'"),
    ("generate nothing", "no run 'nothing'"),
    ("resume nothing", "no run 'nothing'"),
    ("rerun nothing", "no run 'nothing'"),
    ("report nothing", "no run 'nothing'"),
    ("rm nothing", "no run 'nothing'"),
    ("rm --all", "no flag --all"),
    ("diff nothing", "takes two runs, not 1"),
    ("diff nothing more", "no run 'nothing'"),
    ("runs format=pdf", "format=pdf", "text, markdown or csv"),
    ("reproduce zaremba2014/smal", "did you mean zaremba2014/small?"),
    ("generate latest promt=a", "'promt'", "did you mean prompt?", "lmlab generate"),
    ("generate latest model=lstm", "'model'", "lmlab generate"),
    ("generate latest prompt", "'prompt' is not of the form key=value", "lmlab generate --help"),
    ("generate latest temperature=hot", "temperature=hot", "a number"),
    ("generate latest temperature=-1", "temperature=-1", "from 0 up"),
    ("generate latest num_beams=0", "num_beams=0", "above 0"),
    ("generate latest num_beams=two", "num_beams=two", "a whole number"),
    ("generate latest num_beams=2 temperature=0.5", "temperature=0.5 chooses one token", "leave temperature out"),
    ("generate latest num_beams=2 top_k=5", "top_k=5 chooses one token"),
    ("generate latest num_beams=2 stream=true", "stream=true", "leave stream out"),
    ("generate latest num_beams=2 num=3", "num=3 texts are more than num_beams=2"),
    ("generate latest length_penalty=0.6", "length_penalty=0.6", "set num_beams=4"),
    ("generate latest num_beams=2 length_penalty=-1", "length_penalty=-1", "from 0 up"),
    ("generate latest no_repeat_ngram=0", "no_repeat_ngram=0", "above 0"),
    ("generate latest min_p=2", "min_p=2", "at most 1"),
    ("generate latest max_tokens=many", "max_tokens=many", "a whole number"),
    ("evaluate latest splt=val", "did you mean split?", "lmlab evaluate"),
    ("evaluate latest split=valid", "split=valid", "train, val, test"),
]

Said = namedtuple("Said", "code lines")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with good and bad files, and no runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LMLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("LMLAB_DATA", raising=False)
    (tmp_path / "good.txt").write_text("one two three four five\n" * 100)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "small.txt").write_text("hi")
    (tmp_path / "regular").write_text("a file, no folder")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "utf16.txt").write_text("hello world\n" * 200, encoding="utf-16")
    (tmp_path / "latin.txt").write_text("déjà vu\n" * 200, encoding="latin-1")
    (tmp_path / "damaged.gz").write_bytes(gzip.compress(b"text " * 1000)[:-20])
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.fixture
def say(place, capfd):
    """Runs a command line that is wrong; what it said, after what holds for every mistake was checked."""

    def run(*arguments: str, code: int = 2) -> Said:
        before = set(place.glob("runs/*/*"))
        capfd.readouterr()
        got = cli.run(list(arguments))
        out, error = capfd.readouterr()
        lines = [line for line in error.splitlines() if line]
        assert got == code, error
        assert "Traceback" not in error
        assert all(line.startswith("lmlab: ") for line in lines), error
        assert not out
        assert set(place.glob("runs/*/*")) == before
        return Said(got, lines)

    return run


@pytest.mark.parametrize("case", EXPERIMENT, ids=lambda case: case[0])
def test_a_wrong_experiment_is_refused_in_one_sentence(say, tiny, case):
    typed, *words = case
    said = say("train", *tiny(*typed.split(" ")))
    assert len(said.lines) == 1
    assert [word for word in words if word not in said.lines[0]] == [], said.lines[0]


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case[0])
def test_a_wrong_command_is_refused_in_one_sentence(say, case):
    typed, *words = case
    said = say(*typed.split(" "))
    assert len(said.lines) == 1
    assert [word for word in words if word not in said.lines[0]] == [], said.lines[0]


def test_an_argument_with_a_blank_is_refused(say, tiny):
    assert "'a b' is not of the form key=value" in say("train", *tiny("a b")).lines[0]


def test_independent_faults_are_reported_together_one_a_line(say, tiny):
    said = say("train", *tiny("model.dim=wide", "optimizer.lr=fast", "model.dropout=2"))
    assert [line.split("=")[0] for line in sorted(said.lines)] == [
        "lmlab: model.dim",
        "lmlab: model.dropout",
        "lmlab: optimizer.lr",
    ]
    assert len(say("train", *tiny("modle=lstm", "lr=3")).lines) == 2
    assert len(say("train", *tiny("model=lstmm", "data=txt")).lines) == 2


def test_a_device_that_is_not_there_is_named_with_those_that_are(say, tiny, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    (line,) = say("train", *tiny("trainer.accelerator=cuda")).lines
    assert "trainer.accelerator=cuda" in line
    assert "set trainer.accelerator=cpu" in line


def test_a_disk_without_room_for_checkpoints_is_said_before_training(say, tiny, monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1000))
    (line,) = say("train", *tiny()).lines
    assert "output_dir" in line
    assert "free some space" in line


def test_a_sweep_with_one_wrong_job_starts_none(say, tiny, monkeypatch):
    monkeypatch.setattr("subprocess.run", lambda *arguments, **options: pytest.fail("a job was started"))
    (line,) = say("train", "-m", *tiny("model.dim=16,10")).lines
    assert line.startswith("lmlab: model.dim=10: ")
    assert "a multiple of 4" in line
    (line,) = say("train", "-m", *tiny("model=lstm,gruu")).lines
    assert "did you mean gru?" in line
    (line,) = say("train", "-m", *tiny("seed=range(0)")).lines
    assert "no jobs" in line


@pytest.fixture
def run(place, tiny, capfd):
    """A finished run of this folder."""
    assert cli.run(["train", *tiny()]) == 0
    capfd.readouterr()
    return find("latest", place / "runs")


def test_mistakes_about_a_run_that_is_there(say, run):
    shutil.copy("small.txt", "bad.ckpt")
    table = [
        ("resume latest trainer.max_steps=1", "at step 2 already", "trainer.max_steps"),
        ("resume latest trainer.max_steps=soon", "trainer.max_steps=soon", "a whole number"),
        ("resume latest trainer.max_stepz=9", "did you mean trainer.max_steps"),
        ("resume latest optimizer=sgd", "optimizer is a choice of parts"),
        ("resume latest model.dim=32", "model.dim cannot change within a run", "lmlab train model.dim=32"),
        ("resume latest -m", "no flag -m"),
        ("rerun latest exact=maybe", "exact=true only"),
        ("generate latest checkpoint=missing.ckpt", "no checkpoint 'missing.ckpt'", "best, last or the path"),
        ("generate latest checkpoint=folder", "no checkpoint 'folder'"),
        ("generate latest checkpoint=bad.ckpt", "bad.ckpt is damaged", "checkpoint=last"),
        ("generate latest top_p=2", "top_p=2", "at most 1"),
        ("evaluate latest checkpoint=bad.ckpt", "bad.ckpt is damaged", "checkpoint=last"),
        ("runs sort=-val/los", "'val/los'", "did you mean val/loss"),
        ("runs columns=id,modle.dim", "did you mean model.dim?"),
        ("runs val/loss<low", "'low'", "no number"),
        ("rm latest nothing", "no run 'nothing'"),
        ("report latest test=bootstrap", "test=bootstrap belongs to the table of a sweep"),
        (f"evaluate {run.id[:8]}x", f"no run '{run.id[:8]}x'", run.id),
    ]
    for typed, *words in table:
        (line,) = say(*typed.split(" ")).lines
        assert [word for word in words if word not in line] == [], line
    assert run.path.exists()


def test_the_beginning_of_two_ids_names_neither(say, run):
    shutil.copytree(run.path, run.path.with_name(run.id[:-1] + ("a" if run.id[-1] != "a" else "b")))
    (line,) = say("evaluate", run.id[:-1]).lines
    assert "names 2 runs" in line


def test_a_run_that_is_running_elsewhere_is_left_alone(say, run, tiny):
    with Lock(run.path):
        for command in (["train", *tiny()], ["resume", run.id, "trainer.max_steps=4"], ["rm", run.id]):
            (line,) = say(*command).lines
            assert "is running on" in line
    assert (run.path / "run.json").exists()


def test_data_that_changed_since_training_is_not_evaluated(say, place, tiny, capfd):
    assert cli.run(["train", *tiny("data.path=good.txt")]) == 0
    Path("good.txt").write_text("other words\n" * 300)
    (line,) = say("evaluate", "latest").lines
    assert "has changed since it was trained" in line


def test_a_bug_of_lmlab_keeps_its_traceback(place, tiny, monkeypatch):
    def bug(*arguments, **options):
        raise KeyError("a bug")

    monkeypatch.setattr("lmlab.batch.windows.Windows.__init__", bug)
    with pytest.raises(Exception, match="a bug") as raised:
        cli.run(["train", *tiny()])
    assert not isinstance(raised.value, ValueError)
