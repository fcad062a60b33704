"""model.embedding: the word vectors that a model's embedding starts from, and whether it is trained."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from lmlab.command.experiment import Experiment
from lmlab.exchange.word_vectors import read, width
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def start(experiment: Experiment, model: nn.Module) -> None:
    """Rows of tokens that a source has a vector of are set to it; the others keep what they were drawn as.

    Raises:
        Mistake: for a source that is not there, of another width, or without a single word.
    """
    spelled = [_spelled(experiment, index) for index in range(experiment.arrays.tokenizer.vocab_size)]
    for key, block, embedding in places(experiment.config, model):
        if (source := block.get("init_from")) is None:
            continue
        ids, vectors = _vectors(str(source), {form for word in spelled for form in (word, word.lower())})
        _check_width(f"{key}.init_from", str(source), vectors.shape[1], embedding)
        rows = {index: ids.get(word, ids.get(word.lower())) for index, word in enumerate(spelled) if word}
        found = {index: row for index, row in rows.items() if row is not None}
        if not found:
            raise Mistake(f"{key}.init_from={source} has none of the {len(spelled):,} tokens; choose tokenizer=word")
        with torch.no_grad():
            embedding.weight[list(found)] = vectors[list(found.values())].to(embedding.weight)
        log.info("%s of %s tokens have a vector in %s", f"{len(found):,}", f"{len(spelled):,}", source)


def check(experiment: Experiment, model: nn.Module) -> None:
    """Refuses a file that is not there or of another width, before a run is made."""
    for key, block, embedding in places(experiment.config, model):
        source = block.get("init_from")
        if source is None:
            continue
        if Path(source).is_file():
            _check_width(f"{key}.init_from", source, width(Path(source)), embedding)
        else:
            _check_width(f"{key}.init_from", source, _of_run(source, f"{key}.init_from")[1].shape[1], embedding)


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


def _spelled(experiment: Experiment, index: int) -> str:
    """A token as a file of vectors would spell it: bytes decoded, without blanks around."""
    tokenizer = experiment.arrays.tokenizer
    return "" if index == tokenizer.eos else tokenizer.decode([index]).strip()


def _vectors(source: str, wanted: set[str]) -> tuple[Mapping[str, int], torch.Tensor]:
    """Word -> row, and the rows, of a file or a run."""
    if not Path(source).is_file():
        return _of_run(source, "model.embedding.init_from")
    found = read(Path(source), wanted=wanted)
    return {word: row for row, word in enumerate(found.words)}, torch.from_numpy(found.vectors)


def _of_run(source: str, key: str) -> tuple[Mapping[str, int], torch.Tensor]:
    from lmlab.command.load import load_run
    from lmlab.command.word_vectors import Lookup

    try:
        lookup = Lookup.of(load_run(source, "best"))
    except Mistake as mistake:
        raise Mistake(f"{key}={source} is neither a file of word vectors nor a run ({mistake})") from mistake
    return lookup.ids, lookup.vectors


def _check_width(key: str, source: str, found: int, embedding: nn.Embedding) -> None:
    if found != embedding.embedding_dim:
        raise Mistake(
            f"{key}={source} has vectors of width {found}, and the embedding is {embedding.embedding_dim} wide; "
            f"set model.dim={found}"
        )
