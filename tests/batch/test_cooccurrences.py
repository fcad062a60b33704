import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lmlab.batch import cooccurrence_counts
from lmlab.batch.cooccurrences import Cooccurrences
from lmlab.batch.permutation import ROUNDS, permuted
from lmlab.types import Corpus, Mistake

KEYS = {"size": 70, "window": 5, "distance_weighting": True, "memory_gb": 1.0, "num_workers": 0}
EOS, UNK = 0, 1


@pytest.fixture
def text():
    """Sentences of 1 to 30 words, some unknown, few of them frequent."""
    random = np.random.default_rng(0)
    words = np.minimum(random.zipf(1.3, size=3000), 97) + 1
    words[random.random(3000) < 0.1] = UNK
    words[random.random(3000) < 0.08] = EOS
    return words.astype(np.uint16)


def batching(folder, tokens=None, **changed):
    if tokens is not None:
        (folder / "train.bin").write_bytes(tokens.tobytes())
        (folder / "meta.json").write_text(json.dumps({"dtype": tokens.dtype.name}))
    return Cooccurrences(**KEYS | changed, seed=3, corpus=Corpus(EOS, UNK, np.zeros(0, np.int64), folder))


def by_hand(tokens, window, *, is_weighted=True):
    """X_ij as its definition says: the sum of 1 / distance over both sides, known words alone, sentence by sentence."""
    counts, sentence = Counter(), []
    for word in [*tokens.tolist(), EOS]:
        if word == EOS:
            for place, one in enumerate(sentence):
                for other in range(max(0, place - window), min(len(sentence), place + window + 1)):
                    if other != place:
                        counts[one, sentence[other]] += 1 / abs(other - place) if is_weighted else 1
            sentence = []
        elif word != UNK:
            sentence.append(word)
    return counts


def as_counter(pairs):
    found = {(int(row), int(column)): float(count) for row, column, count in pairs}
    assert len(found) == len(pairs), "each pair once"
    return found


@pytest.mark.parametrize("changed", [{}, {"window": 1}, {"window": 63}, {"distance_weighting": False}])
def test_counts_are_those_of_a_plain_loop(text, tmp_path, changed):
    values = KEYS | changed
    expected = by_hand(text, values["window"], is_weighted=values["distance_weighting"])
    assert as_counter(batching(tmp_path, **changed).pairs(text)) == pytest.approx(dict(expected), rel=1e-6)


@pytest.mark.parametrize("memory", [2**13, 2**11])
def test_counts_do_not_depend_on_how_often_they_went_to_disk(text, tmp_path, monkeypatch, memory):
    monkeypatch.setattr(cooccurrence_counts, "BLOCK", 500)
    found = {}
    for number, size in enumerate((2**30, memory)):
        (folder := tmp_path / str(number)).mkdir()
        cooccurrence_counts.write_counts(
            text, folder / "pairs", window=5, is_weighted=True, eos=EOS, unk=UNK, memory=size, folder=folder
        )
        found[size] = as_counter(np.fromfile(folder / "pairs", dtype=cooccurrence_counts.PAIR))
    assert len(list(folder.glob("*.keys"))) > 5
    assert found[memory] == found[2**30]


def test_an_epoch_is_every_pair_once_in_an_order_of_its_own(text, tmp_path):
    batches = batching(tmp_path, text)
    steps, per_epoch = batches.train(text), batches.steps_per_epoch(text)
    pairs = as_counter(batches.pairs(text))
    orders = []
    for epoch in range(2):
        drawn = [steps[step, 0] for step in range(epoch * per_epoch, (epoch + 1) * per_epoch)]
        assert [batch.num_tokens for batch in drawn[:-1]] == [70] * (per_epoch - 1)
        orders.append([one for batch in drawn for one in zip(*(part.tolist() for part in (batch.rows, batch.columns)))])
        assert {one: count for batch in drawn for one, count in _counted(batch)} == pairs
        assert len(orders[-1]) == len(pairs)
    assert orders[0] != orders[1] != sorted(orders[1])
    assert batching(tmp_path).train(text)[per_epoch + 1, 0].rows.tolist() == steps[per_epoch + 1, 0].rows.tolist()


def _counted(batch):
    return zip(zip(batch.rows.tolist(), batch.columns.tolist()), batch.counts.tolist())


@pytest.mark.parametrize("size", [1, 2, 3, 5, 97, 4096, 5000])
def test_a_permutation_has_every_number_once_and_any_part_of_it_alone(size):
    keys = np.random.default_rng(size).integers(0, 2**64, size=ROUNDS, dtype=np.uint64)
    whole = permuted(0, size, size, keys)
    assert sorted(whole.tolist()) == list(range(size))
    assert permuted(size // 2, size, size, keys).tolist() == whole[size // 2 :].tolist()
    if size > 1000:
        assert abs(np.corrcoef(whole, np.arange(size))[0, 1]) < 0.1
        assert (np.abs(np.diff(whole)) == 1).mean() < 0.01


def test_held_out_counts_are_scaled_to_the_training_text(text, tmp_path):
    held_out = text[:400]
    batches = batching(tmp_path, text)
    split = batches.eval(held_out)
    found = [split[number] for number in range(len(split))]
    total = sum(float(batch.counts.sum()) for batch in found)
    assert total == pytest.approx(sum(by_hand(text, 5).values()), rel=1e-4)
    assert sum(batch.num_tokens for batch in found) == len(by_hand(held_out, 5))
    assert len(batches.eval(np.array([EOS, 5, EOS], dtype=np.uint16))) == 0


def test_counts_are_kept_and_two_jobs_at_once_both_have_them(text, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: as_counter(batching(tmp_path).pairs(text)), range(2)))
    assert found[0] == found[1]
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    batching(tmp_path, memory_gb=0.5, size=3).pairs(text)
    assert kept.stat().st_mtime_ns == written
    batching(tmp_path, window=4).pairs(text)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_one_sentence_and_leaves_nothing(text, tmp_path, monkeypatch):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "pairs").symlink_to(full)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: str(tmp_path))
    with pytest.raises(Mistake, match="the disk is full; set LMLAB_CACHE"):
        batching(tmp_path).pairs(text)
    assert not tmp_path.exists()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"window": 0}, r"batch\.window=0 is out of range; set batch\.window to 1 \.\.\. 63"),
        ({"window": 64}, r"batch\.window=64"),
        ({"memory_gb": 0.0}, r"batch\.memory_gb=0\.0 is too little"),
        ({"memory_gb": float("nan")}, r"batch\.memory_gb=nan"),
    ],
)
def test_impossible_values_are_refused(tmp_path, changed, sentence):
    with pytest.raises(Mistake, match=sentence):
        batching(tmp_path, **changed)


def test_a_text_without_pairs_is_refused(tmp_path):
    lonely = np.array([5, EOS, UNK, 6, EOS], dtype=np.uint16)
    batches = batching(tmp_path, lonely)
    assert batches.steps_per_epoch(lonely) == 0
    with pytest.raises(Mistake, match=r"has no two known words in one sentence; lower tokenizer\.min_count"):
        batches.train(lonely)
