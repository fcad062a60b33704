"""Experiments on conversations in which a reply is to be written."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig
from torch import Tensor

from lmlab import config as configuration
from lmlab.batch.source_target import prompts
from lmlab.command.kind.kind import has_encoder
from lmlab.command.kind.packing import announce_packing
from lmlab.command.kind.source_target import SourceTarget
from lmlab.data.template import ASSISTANT, USER
from lmlab.examples import Conversation
from lmlab.examples import SourceTarget as Pair
from lmlab.metric.written import scored
from lmlab.types import IGNORE, SPLITS, Batch, Mistake, Split

if TYPE_CHECKING:
    from lmlab.command.experiment import Experiment
    from lmlab.command.load import Loaded
    from lmlab.tokenizer.trained import Trained

log = logging.getLogger(__name__)


class Conversations(SourceTarget):
    """See Kind; a source is what was said before the last reply, and the reply its target."""

    needs: Mapping[str, str] = MappingProxyType({"model": "vocab_size", "head": "vocab_size", "batch": "roles"})
    shows_prompt = False

    def batching(self, experiment: Experiment) -> Any:
        return _batching(experiment.config, experiment.arrays.tokenizer, experiment.arrays.labels)

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        config, roles = experiment.config, experiment.arrays.labels
        if has_encoder(config):
            raise Mistake(
                "a conversation is one text for a decoder, and this model has an encoder as well; choose model=transformer, "
                "lstm, mamba2 or another decoder"
            )
        for role in config.batch.learned:
            if role not in roles:
                raise Mistake(f"batch.learned has {role}, who says nothing; set it to some of {', '.join(roles)}")
        batching: Any = experiment.batching
        for split in SPLITS:
            if number := batching.without_target(getattr(experiment.arrays, split)):
                raise Mistake(
                    f"in {number} conversations of {split} nobody of batch.learned={list(config.batch.learned)} says "
                    "anything; add a role to it, or leave these out"
                )

    def announce(self, experiment: Experiment) -> None:
        from lmlab.command.backends import announce

        batching: Any = experiment.batching
        train = experiment.arrays.train
        log.info(
            "%s conversations of %s turns, %s tokens",
            f"{len(train):,}",
            f"{len(train.labels):,}",
            f"{train.lengths().sum():,}",
        )
        cut, turns = batching.left_out(train)
        if cut:
            log.info(
                "%s of them are longer than batch.seq_len=%s tokens and begin later: %s turns are left out",
                f"{cut:,}",
                batching.seq_len,
                f"{turns:,}",
            )
        announce_packing(experiment)
        announce(experiment)

    def pairs(self, experiment: Experiment, split: Any) -> list[Pair]:
        """What was said before the last reply of each conversation, and that reply."""
        learned = list(experiment.config.batch.learned)
        return [_last(conversation, learned) for conversation in experiment.source.read(split)]

    def told(self, texts: list[str]) -> tuple[str, str]:
        spoken = [header + text for header, text in zip(texts[0::2], texts[1::2])]
        return " | ".join(spoken[:-1]), texts[-1]

    def of_sources(self, config: DictConfig, tokenizer: Trained, sources: list[str]) -> Batch:
        """Conversations that a user begins with these words, or without any the assistant."""
        return _replying(config, tokenizer, sources, room=int(config.decoding.max_tokens))

    def opening(self, loaded: Loaded, prompt: str, room: int) -> Tensor:
        """A conversation up to the header of the reply to a user who says this."""
        ids, _ = prompts(_replying(loaded.config, loaded.tokenizer, [prompt], room=room))
        return ids.to(loaded.task.device)

    def baselines_name(self, experiment: Experiment) -> str | None:
        config = experiment.config
        return "_".join(["baselines", *config.metric.scores, str(config.batch.seq_len), *config.batch.learned])

    def compared(self, experiment: Experiment, train: list[Any], held_out: list[Any]) -> dict[str, Any]:
        """Replies that were looked up, for which what was said last decides; and how likely the tokens are by themselves."""
        from lmlab.analysis.reply_baselines import reply_baselines, unigram

        config, arrays = experiment.config, experiment.arrays
        learned = list(config.batch.learned)
        known = [pair for one in train for pair in _replies(one, learned)]
        asked = [_replies(one, learned)[-1] for one in held_out]
        texts, references = reply_baselines(known, asked), [one.targets for one in asked]
        found = {name: scored(config.metric.scores, own, references) for name, own in texts.items()}
        split: Split = "test" if len(arrays.test) else "val"
        seen, wanted = (_targets(experiment, rows) for rows in (arrays.train, getattr(arrays, split)))
        return {**found, "unigram": unigram(seen, wanted, arrays.tokenizer.vocab_size)}


def _batching(config: DictConfig, tokenizer: Trained, roles: tuple[str, ...]) -> Any:
    return configuration.build(config, "batch")(seed=config.seed, eos=tokenizer.eos, roles=roles)


def _replying(config: DictConfig, tokenizer: Trained, prompts: list[str], *, room: int) -> Batch:
    """The assistant is to reply to each prompt."""
    headers = {role: tokenizer.encode(config.data.template[role]) for role in (USER, ASSISTANT)}
    asked = [[(headers[USER], tokenizer.encode(prompt))] if prompt else [] for prompt in prompts]
    batching = _batching(config, tokenizer, ())
    found: Batch = batching.of_conversations(
        [[*turns, (headers[ASSISTANT], [])] for turns in asked], room=min(room, batching.seq_len // 2)
    )
    return found


def _last(conversation: Conversation, learned: Sequence[str]) -> Pair:
    """All that was said before the last reply, with its headers, and the reply."""
    place = max(place for place, turn in enumerate(conversation.turns) if turn.role in learned)
    before = "\n".join(turn.header + turn.text for turn in conversation.turns[:place])
    return Pair(before, (conversation.turns[place].text,))


def _replies(conversation: Conversation, learned: Sequence[str]) -> list[Pair]:
    """Each reply and what was said just before it."""
    turns = conversation.turns
    return [
        Pair(turns[place - 1].text if place else "", (turn.text,))
        for place, turn in enumerate(turns)
        if turn.role in learned
    ]


def _targets(experiment: Experiment, rows: Any) -> Any:
    """All targets of a split, [target]."""
    batching: Any = experiment.batching
    batches = (batching.batch(rows, chosen) for chosen in np.array_split(np.arange(len(rows)), -(-len(rows) // 64)))
    return np.concatenate([batch.targets[batch.targets != IGNORE].numpy() for batch in batches])
