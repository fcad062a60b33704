"""model.embedding: the word vectors that a model's embedding starts from, and whether it is trained."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from lmlab import config as configuration
from lmlab.exchange.word_vectors import read, width
from lmlab.launcher.find import LATEST, find_run
from lmlab.types import Mistake
from lmlab.values import MODELS

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment

log = logging.getLogger(__name__)

BROKEN = "\ufffd"
"""Stands in decoded text for bytes that are no whole character."""


def start(experiment: Experiment, model: nn.Module) -> None:
    """Rows of tokens that a source has a vector of are set to it; the others keep what they were drawn as."""
    for key, source, embedding in _sources(experiment.config, model):
        found = _found(experiment, key, source, embedding)
        with torch.no_grad():
            embedding.weight[found.ids] = found.vectors.to(embedding.weight)
        total = experiment.arrays.tokenizer.vocab_size
        log.info("%s of %s tokens have a vector in %s", f"{len(found.ids):,}", f"{total:,}", source)
    for name in [name for name in experiment.data if name.startswith(_KEPT)]:
        del experiment.data[name]


def check(experiment: Experiment, model: nn.Module) -> None:
    """Reads the sources before a run is made; `start` does not read them again.

    Raises:
        Mistake: for one that is not there, damaged, of another width, or without a single token.
    """
    for key, source, embedding in _sources(experiment.config, model):
        if experiment.config.init_from is not None:
            raise Mistake(
                f"init_from={experiment.config.init_from} brings an embedding, which {key}={source} would overwrite; "
                "set one of the two to null"
            )
        _found(experiment, key, source, embedding)


def settle(config: DictConfig) -> None:
    """`latest` becomes the run that it is now: soon it is the new run itself."""
    for key in ("init_from", *(f"{model}.embedding.init_from" for model in MODELS)):
        if configuration.has(config, key) and OmegaConf.select(config, key) == LATEST and not Path(LATEST).exists():
            OmegaConf.update(config, key, str(find_run(LATEST).path))


def freeze(config: DictConfig, model: Any, head: Any) -> None:
    """Takes an embedding out of training where model.embedding.freeze says so."""
    for key, block, embedding in places(config, model):
        if not block.get("freeze"):
            continue
        if any(parameter is embedding.weight for parameter in head.parameters()):
            raise Mistake(
                f"{key}.freeze=true would freeze the head as well, which has the same weights; set head.tie_weights=false"
            )
        embedding.weight.requires_grad_(False)


def places(config: DictConfig, model: Any) -> Iterator[tuple[str, Mapping[str, Any], nn.Embedding]]:
    """The key of each embedding block, what it says, and the embedding that it is about."""
    if config.model.get("encoder") is not None:
        for side, embedding in (("encoder", model.source_embedding), ("decoder", model.embedding)):
            yield f"model.{side}.embedding", config.model[side].get("embedding") or {}, embedding
    elif (block := config.model.get("embedding")) is not None:
        yield "model.embedding", block, model.embedding


def _sources(config: DictConfig, model: Any) -> Iterator[tuple[str, str, nn.Embedding]]:
    for place, block, embedding in places(config, model):
        if (source := block.get("init_from")) is not None:
            yield f"{place}.init_from", str(source), embedding


@dataclass(frozen=True)
class _Found:
    """Tokens, and the vector of each."""

    ids: list[int]
    vectors: Tensor


_KEPT = "vectors "


def _found(experiment: Experiment, key: str, source: str, embedding: nn.Embedding) -> _Found:
    config = experiment.config
    made_of = [source, configuration.plain(config.data), configuration.plain(config.tokenizer), str(config.cache_dir)]
    name = f"{_KEPT}{json.dumps(made_of, sort_keys=True)}"
    if name not in experiment.data:
        is_file = Path(source).is_file()
        if is_file:
            with said_of(key):
                _check_width(key, source, width(Path(source)), embedding)
        spelled = list(_spellings(experiment, has_spelling=not is_file))
        with said_of(key):
            rows, vectors = _of_file(source, spelled) if is_file else _of_run(source, key)
        matches = ((index, next((rows[form] for form in forms if form in rows), None)) for index, forms in spelled)
        known = {index: row for index, row in matches if row is not None}
        if not known:
            raise Mistake(
                f"{key}={source} has none of the {len(spelled):,} tokens, such as {_some(spelled)}; "
                "choose tokenizer=word, or another source"
            )
        experiment.data[name] = _Found(list(known), vectors[list(known.values())])
    found: _Found = experiment.data[name]
    _check_width(key, source, found.vectors.shape[1], embedding)
    return found


def _spellings(experiment: Experiment, *, has_spelling: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each token as sources may have it, the best first: bytes decoded and without blanks around, then in lower case.

    Args:
        has_spelling: whether the source is a run, which may spell a token as this vocabulary does, blanks and all.
    """
    tokenizer = experiment.arrays.tokenizer
    for index in range(tokenizer.vocab_size):
        text = "" if index == tokenizer.eos else tokenizer.decode([index]).strip()
        forms = (tokenizer.token(index) if has_spelling else "", text, text.lower())
        yield index, tuple(form for form in forms if form and BROKEN not in form)


def _some(spelled: list[tuple[int, tuple[str, ...]]]) -> str:
    return ", ".join(repr(forms[0]) for _, forms in [one for one in spelled if one[1]][-3:])


def _of_file(source: str, spelled: list[tuple[int, tuple[str, ...]]]) -> tuple[Mapping[str, int], Tensor]:
    """Word -> row, and the rows, of the words that tokens are spelled as."""
    found = read(Path(source), wanted={form for _, forms in spelled for form in forms})
    return {word: row for row, word in enumerate(found.words)}, torch.from_numpy(found.vectors)


def _of_run(source: str, key: str) -> tuple[Mapping[str, int], Tensor]:
    """Of a model of words, its vectors; of another, the rows of its embedding by its tokens, as spelled and as read."""
    from lmlab.command.load import load_run
    from lmlab.command.word_vectors import Lookup

    try:
        run = find_run(source)
    except Mistake as mistake:
        raise Mistake(f"{key}={source} is neither a file of word vectors nor a run ({mistake})") from mistake
    loaded = load_run(str(run.path), "best")
    lookup = Lookup.of(loaded)
    if lookup.counts is not None:
        return lookup.ids, lookup.vectors
    tokenizer, weight = loaded.tokenizer, loaded.task.model.embedding.weight.detach()
    first: dict[str, int] = {}
    for index in range(tokenizer.vocab_size):
        first.setdefault(tokenizer.decode([index]).strip(), index)
    return {**first, **{tokenizer.token(index): index for index in range(tokenizer.vocab_size)}}, weight


def _check_width(key: str, source: str, found: int, embedding: nn.Embedding) -> None:
    if found != embedding.embedding_dim:
        raise Mistake(
            f"{key}={source} has vectors of width {found}, and the embedding is {embedding.embedding_dim} wide; "
            f"set {key.removesuffix('.embedding.init_from')}.dim={found}"
        )


@contextmanager
def said_of(key: str) -> Iterator[None]:
    """A constructor's refusal of a value, as a sentence that names the key."""
    try:
        yield
    except (ValueError, OSError) as error:
        text = configuration.one_line(error)
        raise Mistake(text if text.startswith(key) else f"{key}: {text}") from error
