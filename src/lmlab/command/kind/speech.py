"""Experiments on recordings and what is said in them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torchmetrics import Metric

from lmlab import config as configuration
from lmlab.command.kind.kind import has_encoder, option_of, plan_of, takes
from lmlab.command.kind.rows import SHOWN, Rows
from lmlab.command.transcripts import (
    batch_of_file,
    features_of_file,
    listened,
    transcribed,
    transcriber_of,
    transcripts,
)
from lmlab.data.cache import cache_folder
from lmlab.decoding.decode import alternatives
from lmlab.decoding.joint import Joint
from lmlab.decoding.options import Options
from lmlab.examples import Heard, Utterances
from lmlab.metric.transcripts import Transcripts
from lmlab.model.listener import Listener
from lmlab.model.seq2seq import Seq2Seq
from lmlab.model.speller import Speller
from lmlab.run import json_file
from lmlab.strategy.sharded import Sharded
from lmlab.task.speech_recognition import SpeechRecognition
from lmlab.tokenizer.speech_arrays import SpeechArrays, speech_arrays
from lmlab.tree import groups
from lmlab.types import SPLITS, Mistake

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.run.folder import RunFolder
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)

FEATURES = "features.json"
"""In the run's folder."""


class Speech(Rows):
    """See Kind."""

    needs: Mapping[str, str] = MappingProxyType(
        {"model": "vocab_size", "head": "num_symbols", "batch": "augment", "frontend": "num_features"}
    )

    def arrays(self, experiment: Experiment) -> SpeechArrays:  # type: ignore[override]
        config = experiment.config
        trainer, features = configuration.build(config, "tokenizer"), configuration.build(config, "features")
        return speech_arrays(experiment.source, trainer, features, cache_folder(config.cache_dir))

    def vocabulary(self, experiment: Experiment) -> Heard:
        arrays = experiment.arrays
        return Heard(
            int(arrays.tokenizer.vocab_size), tuple(arrays.train.mean.tolist()), tuple(arrays.train.scale.tolist())
        )

    def batching(self, experiment: Experiment) -> Any:
        return configuration.build(experiment.config, "batch")(seed=experiment.config.seed)

    def model(self, config: DictConfig, vocabulary: int | Heard) -> tuple[Any, Any]:
        heard = Heard(vocabulary, (0.0,) * 40, (1.0,) * 40) if isinstance(vocabulary, int) else vocabulary
        head = configuration.build(config, "head")
        if "decoder" in parts_of(config):
            conditional = _conditional(config, heard.vocab_size)
            given = {"frontend": configuration.build(config, "frontend"), "num_features": heard.num_features}
            speller = Speller(conditional=conditional, **given)
            known = {"symbol_embedding": speller.embedding, "encoder_dim": speller.encoder_dim}
            known = {name: value for name, value in known.items() if takes(config.head._target_, name)}
            return speller, head(dim=speller.dim, num_symbols=heard.vocab_size, **known)
        if has_encoder(config):
            raise Mistake(
                f"head={option_of(config.head)} reads an encoder alone, and this model has a decoder as well; choose "
                "head=attention or head=joint, or a model such as lstm or transformer"
            )
        encoder = configuration.build(config, "model")(vocab_size=1, causal=SpeechRecognition.causal)
        frontend = configuration.build(config, "frontend")
        model = Listener(frontend=frontend, encoder=encoder, num_features=heard.num_features)
        return model, head(dim=model.dim, num_symbols=heard.vocab_size)

    def task(self, experiment: Experiment, model: Any, head: Any, optimizer: Callable[[nn.Module], Any]) -> Any:
        eos = experiment.arrays.tokenizer.eos
        return configuration.build(experiment.config, "task")(
            model=model,
            head=head,
            metric=self.metric(experiment),
            plan=plan_of(experiment, optimizer),
            transcribe=transcriber_of(experiment.config, eos),
            eos=eos,
        )

    def metric(self, experiment: Experiment) -> Callable[[str], Metric]:
        return lambda split: Transcripts(spell=experiment.arrays.tokenizer.decode)

    def refuse(self, experiment: Experiment, task: Any) -> None:
        from lmlab.command.backends import refuse
        from lmlab.command.rehearse import check_strategy

        self.check(experiment)
        check_strategy(experiment, task)
        experiment.batching.train(experiment.arrays.train)[0, 0]
        self.longest_loss(experiment, [task.model, task.head], rows=1)[0]()
        refuse(experiment, _inner(task.model), length=_longest(experiment) // task.model.frontend.factor + 1)

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        config = experiment.config
        for side in ("model", "model.encoder", "model.decoder"):
            block = OmegaConf.select(config, f"{side}.embedding") or {}
            if block.get("init_from") is not None or block.get("freeze"):
                raise Mistake(
                    f"{side}.embedding is of words, and this task reads recordings; leave {side}.embedding.init_from and "
                    f"{side}.embedding.freeze out"
                )
        self.check_decoding(experiment)
        if "ctc" not in parts_of(config):
            return
        rows, factor = experiment.arrays.train, int(config.frontend.factor)
        if (_states_needed(rows) > -(-rows.lengths() // factor)).all():
            raise Mistake(
                f"every transcript of the training split has more tokens than its recording has states; set frontend.factor"
                f"={max(1, factor // 2)}"
            )

    def check_decoding(self, experiment: Experiment) -> None:
        """What is decoded is there; and a decoder that writes has its weights whole."""
        config = experiment.config
        has = parts_of(config)
        if not configuration.class_of(config, "decoding").reads <= has:
            fitting = [
                name
                for name, path in groups()["decoding"].items()
                if get_object(yaml.safe_load(path.read_text(encoding="utf-8"))["_target_"]).reads <= has
            ]
            raise Mistake(
                f"decoding={option_of(config.decoding)} is not for head={option_of(config.head)}; choose {', '.join(fitting)}"
            )
        configuration.build(config, "decoding")
        if "decoder" in has and issubclass(configuration.class_of(config, "strategy"), Sharded):
            raise Mistake(
                "a transcript cannot be written by weights in pieces, each rank writing another one; choose strategy=ddp"
            )

    def measured(self, experiment: Experiment) -> list[str]:
        metric = self.metric(experiment)("val")
        metric.update(torch.zeros(1), [[]], [[]])
        return [f"val/{name}" for name in metric.compute()]

    def announce(self, experiment: Experiment) -> None:
        from lmlab.command.backends import calls, lines
        from lmlab.command.size import on_meta

        arrays, seq_len = experiment.arrays, experiment.batching.seq_len
        factor = int(experiment.config.frontend.factor)
        seconds = arrays.meta["splits"]["train"]["frames"] * float(experiment.config.features.hop) / 1000
        log.info("%s recordings, %.1f minutes", f"{len(arrays.train):,}", seconds / 60)
        if num_long := int((arrays.train.lengths() > seq_len).sum()):
            log.info("%s of them are longer than batch.seq_len=%s frames and left out", f"{num_long:,}", seq_len)
        for split in SPLITS if "ctc" in parts_of(experiment.config) else ():
            rows = getattr(arrays, split)
            if num_short := int((_states_needed(rows) > -(-rows.lengths() // factor)).sum()):
                log.warning(
                    "%s: %s recordings have fewer states than tokens, and no path: they count as loss 0; set "
                    "frontend.factor lower",
                    split,
                    f"{num_short:,}",
                )
        model: Any = on_meta(experiment.config, self.vocabulary(experiment))[0]
        for line in lines(calls(experiment, _inner(model), length=_longest(experiment) // factor + 1)):
            log.info("%s", line)

    def draw(
        self, experiment: Experiment, task: Any, prompt: str, num: int, length: int, temperature: float
    ) -> list[str]:
        """Held-out recordings: what was said, and what was heard; or what is heard in the file that the prompt names."""
        batching: Any = experiment.batching
        tokenizer = experiment.arrays.tokenizer
        transcribe, spell = transcriber_of(experiment.config, tokenizer.eos), tokenizer.decode
        if prompt:
            features = configuration.build(experiment.config, "features")
            found = features_of_file(Path(prompt), features, self.vocabulary(experiment))
            return [f"{prompt}\n-> {spell(transcripts(task, batching.of_features([found]), transcribe)[0])}"]
        rows: Utterances = getattr(experiment.arrays, "test" if len(experiment.arrays.test) else "val")
        chosen = np.linspace(0, max(len(rows) - 1, 0), num=min(num, len(rows)), dtype=np.int64)
        if not len(chosen):
            return []
        heard = transcripts(task, batching.batch(rows, chosen), transcribe)
        said = [spell(rows.ids_of(row).tolist()) for row in chosen.tolist()]
        return [f"{one[:SHOWN]}\n-> {spell(other)[:SHOWN]}" for one, other in zip(said, heard, strict=True)]

    def answer(self, loaded: Loaded, options: Any) -> Iterator[str]:
        return transcribed(loaded, options)

    def decoding(self, loaded: Loaded) -> Options:
        decode = loaded.config.decoding
        limit = decode.get("max_tokens") or int(loaded.config.batch.seq_len)
        return Options(
            max_tokens=limit, num_beams=decode.get("num_beams", 1), length_penalty=decode.get("length_penalty")
        )

    @torch.no_grad()
    def write(self, loaded: Loaded, prompt: str, options: Options, num: int) -> list[str]:
        """What a decoder writes for the recording whose path the prompt is; drawn tokens are not scored by CTC."""
        if "decoder" not in parts_of(loaded.config):
            raise Mistake(
                f"{loaded.run.path} writes no text: head=ctc finds a transcript and has no decoder; lmlab predict RUN "
                "path=FILE.wav shows it"
            )
        task, tokenizer = loaded.task, loaded.tokenizer
        memory = listened(task, batch_of_file(loaded, Path(prompt).expanduser()))
        decode, rescored = configuration.build(loaded.config, "decoding"), None
        if isinstance(decode, Joint) and options.temperature == 0:
            rescored = decode.scorer(task.head, memory, eos=tokenizer.eos)
        starts = torch.full((1, 1), tokenizer.eos, device=task.device)
        options = replace(options, max_tokens=min(options.max_tokens, memory.states.shape[1]))
        given: dict[str, Any] = {
            "num": num,
            "eos": tokenizer.eos,
            "options": options,
            "memory": memory,
            "rescored": rescored,
        }
        return [tokenizer.decode(one) for one in alternatives(task.model, task.head, starts, **given)]

    def longest_loss(
        self, experiment: Experiment, parts: list[Any], *, rows: int
    ) -> tuple[Callable[[], torch.Tensor], int]:
        """With a stand-in for the sum over paths, which has no matrix products."""
        model, head = parts
        longest = _longest(experiment)
        features = torch.zeros(rows, longest, len(experiment.arrays.train.mean), device="meta")
        num_tokens = int(experiment.arrays.train.id_lengths().max(initial=1)) + 1
        tokens = torch.zeros(rows, num_tokens, dtype=torch.long, device="meta")

        def loss() -> torch.Tensor:
            memory = model.encode(features)
            logits = [] if head.ctc is None else [head.ctc(memory.states)]
            logits += [head(model(tokens, None, memory).states)] if "decoder" in parts_of(experiment.config) else []
            found: torch.Tensor = -torch.stack([one.float().log_softmax(dim=-1).mean() for one in logits]).mean()
            return found

        return loss, longest

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        """The most frequent transcript; of recordings that can be classified logistic regression."""
        from lmlab.analysis.speech_baselines import speech_baselines

        arrays = experiment.arrays
        texts = [[one.text for one in examples] for examples in (train, held_out)]
        return speech_baselines(arrays.train, arrays.test if len(arrays.test) else arrays.val, *texts)

    def begin(self, experiment: Experiment, run: RunFolder) -> None:
        heard = self.vocabulary(experiment)
        json_file.write(run.path / FEATURES, {"mean": list(heard.mean), "scale": list(heard.scale)})

    def known(self, run: RunFolder, tokenizer: Trained) -> Heard:
        found = json_file.read(run.path / FEATURES)
        return Heard(tokenizer.vocab_size, tuple(found["mean"]), tuple(found["scale"]))


def parts_of(config: DictConfig) -> frozenset[str]:
    """What the head has: ctc, a decoder that writes the transcript, or both."""
    found: frozenset[str] = configuration.class_of(config, "head").parts
    return found


def _conditional(config: DictConfig, vocab_size: int) -> Any:
    """An encoder with its decoder; of a model that is one of the two, one of each."""
    make = configuration.build(config, "model")
    if has_encoder(config):
        return make(vocab_size=vocab_size, causal=True, source_vocab_size=None if config.model.tie_embeddings else 1)
    cross_attention = config.model.get("cross_attention") and configuration.build(config, "model.cross_attention")
    return Seq2Seq(
        vocab_size=vocab_size,
        causal=True,
        source_vocab_size=1,
        dim=config.model.dim,
        num_layers=config.model.get("num_layers", 1),
        dropout=float(config.model.get("dropout", 0.0)),
        causal_encoder=False,
        reverse_source=False,
        tie_embeddings=False,
        encoder=make,
        decoder=make,
        start=None,
        cross_attention=cross_attention,
    )


def _inner(model: Any) -> Any:
    """What is behind the front end."""
    return model.conditional if isinstance(model, Speller) else model.encoder


def _longest(experiment: Experiment) -> int:
    """Frames of the longest recording that the model reads."""
    arrays, limit = experiment.arrays, experiment.batching.seq_len
    lengths = arrays.train.lengths()
    held_out = [int(getattr(arrays, split).lengths().max(initial=1)) for split in ("val", "test")]
    return max(int(lengths[lengths <= limit].max(initial=1)), *held_out)


def _states_needed(rows: Utterances) -> Any:
    """Of each transcript: its tokens, and a blank between two that are alike, [example]."""
    ids, ends = np.asarray(rows.ids), np.asarray(rows.id_ends)
    is_repeat = np.zeros(len(ids) + 1, np.int64)
    is_repeat[1:-1] = ids[1:] == ids[:-1] if len(ids) else []
    starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    is_repeat[starts] = 0
    counted = np.concatenate(([0], np.cumsum(is_repeat[:-1])))
    return rows.id_lengths() + counted[ends] - counted[starts]
