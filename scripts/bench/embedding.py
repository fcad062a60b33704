"""Word vectors against gensim: words per second interleaved in one process, and what the vectors know after some epochs.

Usage: LMLAB_DATA=... python scripts/bench/embedding.py [--rows skipgram,cbow] [--epochs 15] [--seeds 1,2,3] [--threads 2]
                                                        [--rounds 3] [--no-speed]

Text: all of LMLAB_DATA/embeddings/corpus, lower-cased, words [a-z']+ of each line; 100 wide, window 5, min_count 5,
sample 1e-4, 5 negatives, the rate falling linearly to 0.0001. Words per second are those of the text, over all but reading
and vocabulary; the best of some rounds of one epoch each, ours and gensim's by turns. Quality is by gensim's evaluators on
both sets of vectors: Spearman on WordSim-353 and MEN, and the share of right analogies among those it can ask.
With --epochs 0 speed alone is measured. More rows are made by more entries of ROWS.
"""

import argparse
import gzip
import os
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gensim.models import FastText, KeyedVectors, Word2Vec

from lmlab import config as configuration
from lmlab.types import EOS, UNK, Corpus, Vocabulary

FILES = {"imdb_unsup.txt.gz": "utf-8", "brown.txt.gz": "utf-8", "abc/rural.txt": "utf-8", "abc/science.txt": "latin-1"}
WORD = re.compile(r"[a-z']+")
DIM, LAST_RATE = 100, 0.0001
SHARED = {"vector_size": DIM, "window": 5, "min_count": 5, "sample": 1e-4, "min_alpha": LAST_RATE}


@dataclass(frozen=True)
class Row:
    """Choices of ours, the rate that both start with, and gensim's model."""

    choices: tuple[str, ...]
    rate: float
    peer: Callable[..., Any]


ROWS = {
    "skipgram": Row(("model=skipgram", "head=negative_sampling"), 0.025, partial(Word2Vec, sg=1, negative=5)),
    "cbow": Row(("model=cbow", "head=negative_sampling"), 0.05, partial(Word2Vec, sg=0, negative=5)),
    "hierarchical_softmax": Row(
        ("model=skipgram", "head=hierarchical_softmax"), 0.025, partial(Word2Vec, sg=1, hs=1, negative=0)
    ),
    "fasttext": Row(("model=fasttext", "head=negative_sampling"), 0.05, partial(FastText, sg=1, negative=5)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="skipgram,cbow", help="of " + ", ".join(ROWS))
    parser.add_argument("--epochs", type=int, default=15, help="of the runs whose quality is measured")
    parser.add_argument("--seeds", default="1", help="one run of each kind for each")
    parser.add_argument("--threads", type=int, default=2, help="of both")
    parser.add_argument("--rounds", type=int, default=3, help="of the measurement of speed")
    parser.add_argument("--no-speed", action="store_true")
    parser.add_argument("--no-peer", action="store_true", help="our quality alone")
    options = parser.parse_args()
    for name in options.rows.split(","):
        if not options.no_speed:
            speed(name, options.threads, options.rounds)
        if options.epochs:
            quality(name, options)


def speed(name: str, threads: int, rounds: int) -> None:
    """Words per second of ours with as many threads and with one, and of gensim."""
    rates: dict[str, list[float]] = {"ours": [], "ours, 1 thread": [], "gensim": []}
    ours(name, 1, 1, threads, limit=2)  # compiles
    for number in range(rounds):
        for kind, train, num in (("ours", ours, threads), ("gensim", gensims, threads), ("ours, 1 thread", ours, 1)):
            rates[kind].append(num_words() / train(name, 1, number, num)[1])
    best = {kind: max(values) for kind, values in rates.items()}
    ratio = statistics.median(one / other for one, other in zip(rates["ours"], rates["gensim"], strict=True))
    alone = statistics.median(one / other for one, other in zip(rates["ours, 1 thread"], rates["gensim"], strict=True))
    print(
        f"{name}: words/s ours {best['ours']:,.0f} and with 1 thread {best['ours, 1 thread']:,.0f}, "
        f"gensim {best['gensim']:,.0f} ({threads} threads); ours / gensim {ratio:.2f}, with 1 thread {alone:.2f} "
        f"(medians of {rounds} pairs)",
        flush=True,
    )


def quality(name: str, options: argparse.Namespace) -> None:
    """What the vectors of each seed know, and the mean over seeds."""
    kinds = {"ours": ours} if options.no_peer else {"ours": ours, "gensim": gensims}
    for kind, train in kinds.items():
        found = []
        for seed in map(int, options.seeds.split(",")):
            vectors, seconds = train(name, options.epochs, seed, options.threads)
            found.append(scores(vectors))
            print(f"{name} {kind} seed {seed}: {said(found[-1])} in {seconds:.0f} s", flush=True)
        mean = {key: statistics.mean(one[key] for one in found) for key in found[0]}
        print(f"{name} {kind}, mean of {len(found)} after {options.epochs} epochs: {said(mean)}", flush=True)


def said(figures: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.4f}" for key, value in figures.items())


@cache
def sentences() -> list[list[str]]:
    """Words of each line that has any."""
    return [words for line in lines() if (words := WORD.findall(line.lower()))]


def lines() -> Iterator[str]:
    root = Path(os.environ["LMLAB_DATA"]) / "embeddings/corpus"
    for name, encoding in FILES.items():
        raw = (root / name).read_bytes()
        yield from (gzip.decompress(raw) if name.endswith(".gz") else raw).decode(encoding).split("\n")


@cache
def num_words() -> int:
    return sum(map(len, sentences()))


@cache
def vocabulary() -> Vocabulary:
    counts = Counter(word for sentence in sentences() for word in sentence)
    kept = sorted((-count, word) for word, count in counts.items() if count >= 5)
    return Vocabulary((EOS, UNK, *(word for _, word in kept)), np.array([0, 0, *(-count for count, _ in kept)]))


@cache
def tokens() -> np.ndarray:
    """Ids, a sentence's end being 0 and a rare word 1."""
    ids = {word: number for number, word in enumerate(vocabulary().words)}
    return np.array([id for one in sentences() for id in (*(ids.get(word, 1) for word in one), 0)], np.uint16)


def ours(name: str, epochs: int, seed: int, threads: int, *, limit: int | None = None) -> tuple[KeyedVectors, float]:
    """Vectors and seconds of our parts in a bare loop; `limit`: steps instead of epochs."""
    config = configuration.compose([*ROWS[name].choices, "batch=word_windows"])
    torch.manual_seed(seed)
    model: Any = configuration.build(config, "model")(vocabulary=vocabulary())
    head: Any = configuration.build(config, "head")(dim=DIM, vocabulary=vocabulary())
    with tempfile.TemporaryDirectory() as folder:
        batching: Any = configuration.build(config, "batch")(
            seed=seed, corpus=Corpus(0, 1, vocabulary().counts, Path(folder))
        )
        steps, num = batching.train(tokens()), batching.steps_per_epoch(tokens()) * epochs
        begin, first = time.perf_counter(), ROWS[name].rate
        for step in range(min(num, limit or num)):
            rate = first + (LAST_RATE - first) * step / num
            head.update(model, steps[step, 0], None, rate, seed=seed * 2**32 + step, threads=threads)
        seconds = time.perf_counter() - begin
    vectors = KeyedVectors(DIM)
    vectors.add_vectors(vocabulary().words[2:], model.vectors().detach().numpy()[2:])
    return vectors, seconds


def gensims(name: str, epochs: int, seed: int, threads: int) -> tuple[KeyedVectors, float]:
    """Vectors and seconds of gensim's training."""
    model = ROWS[name].peer(**SHARED, seed=seed, workers=threads, alpha=ROWS[name].rate)
    model.build_vocab(sentences())
    begin = time.perf_counter()
    model.train(sentences(), total_examples=model.corpus_count, epochs=epochs)
    return model.wv, time.perf_counter() - begin


def scores(vectors: KeyedVectors) -> dict[str, float]:
    """Spearman on two sets of pairs, and right analogies of those that can be asked, by gensim's evaluators."""
    folder = Path(os.environ["LMLAB_DATA"]) / "embeddings/eval"
    found = {
        name: float(vectors.evaluate_word_pairs(folder / file, encoding="latin-1")[1].statistic)
        for name, file in (("WS-353", "EN-WS-353-ALL.txt"), ("MEN", "EN-MEN-TR-3k.txt"))
    }
    accuracy, _ = vectors.evaluate_word_analogies(folder / "questions-words.txt")
    return {**found, "analogy": accuracy}


if __name__ == "__main__":
    main()
