"""Between lmlab's configuration and a folder in Hugging Face's format: which keys make its model, and which differ."""

import logging
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from lmlab import config as configuration
from lmlab.exchange.architecture import Architecture, Described, Keys, Role, by_type, complete
from lmlab.exchange.bert import Bert
from lmlab.exchange.folder import CONFIG, Folder
from lmlab.exchange.gpt2 import Gpt2
from lmlab.exchange.llama import Llama
from lmlab.exchange.qwen3 import Qwen3
from lmlab.exchange.t5 import T5
from lmlab.exchange.tensors import to_ours
from lmlab.model.feedforward.width import width
from lmlab.tokenizer.trained import TOKENIZER
from lmlab.types import Mistake
from lmlab.values import shown

log = logging.getLogger(__name__)

ARCHITECTURES: tuple[Architecture, ...] = (Gpt2(), Bert(), Llama(), Qwen3(), T5())

WITHOUT_EFFECT = (
    "_partial_", "dropout", "init_std", "init_range", "params", "expansion", "backend", "init_from", "freeze",
)  # fmt: skip
"""Last parts of keys that change nothing of what trained weights compute."""

HEADS = ("NextToken", "MaskedToken")
"""Heads over the vocabulary, which a folder holds; any other head is trained anew."""


def is_folder(source: str) -> bool:
    """Whether it is no run but a folder that another program may have written."""
    path = Path(source)
    return path.is_dir() and not (path / "config.yaml").exists()


def weights_of_folder(config: DictConfig, vocab_size: int, source: str, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a folder under our names; those of a head for another task stay what they are.

    Raises:
        Mistake: where the folder is damaged, or of another model than the configured one, with the command line that fits.
    """
    folder = Folder(Path(source))
    architecture = by_type(ARCHITECTURES, folder.config)
    theirs = complete(architecture, folder.config)
    _check(config, vocab_size, source, architecture, theirs)
    rules = architecture.rules(theirs)
    known = {name for rule in rules for name in rule.theirs}
    device = next(iter(own.values())).device
    tensors = _named(architecture, folder.tensors(device if device.type == "meta" else torch.device("cpu")))
    kept = {name: tensor for name, tensor in tensors.items() if name in known or not architecture.is_left_out(name)}
    found = to_ours(rules, kept)
    if not _has_token_head(config):
        log.info("the folder's head is for tokens: this one begins untrained")
        found = {name: tensor for name, tensor in found.items() if not name.startswith("head.")}
        found |= {name: tensor for name, tensor in own.items() if name.startswith("head.")}
    return found


def _named(architecture: Architecture, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By today's names, also of a file that holds the model without its head."""
    named = {architecture.renamed(name): tensor for name, tensor in tensors.items()}
    if any(name.startswith(architecture.prefix) for name in named):
        return named
    return {f"{architecture.prefix}{name}": tensor for name, tensor in named.items()}


def _check(
    config: DictConfig, vocab_size: int, source: str, architecture: Architecture, theirs: Mapping[str, Any]
) -> None:
    """The configured model, and the tokenizer's vocabulary, are the folder's."""
    keys = keys_of(architecture, theirs)
    reasons = [
        f"{key}={_spoken(ours)} ({_spoken(other)} there)"
        for key, ours, other in differences(flat(config), wanted(keys))
    ]
    is_own = configuration.class_of(config, "tokenizer").__name__ == "Pretrained"
    if vocab_size != theirs["vocab_size"]:
        reasons.append(f"{vocab_size} tokens ({theirs['vocab_size']} there)")
    elif not is_own:
        log.warning(
            "tokenizer: the weights were trained on the ids of another; tokenizer=pretrained takes a folder's own"
        )
    if not reasons:
        return
    line = shortest(keys)
    if vocab_size != theirs["vocab_size"] and (Path(source) / TOKENIZER).exists():
        line += f" tokenizer=pretrained {shlex.quote(f'tokenizer.path={source}')}"
    more = f" and {len(reasons) - 4} more" if len(reasons) > 4 else ""
    raise Mistake(
        f"init_from={source} holds a {architecture.title} that is not the configured model: "
        f"{', '.join(reasons[:4])}{more}; give: {line}"
    )


def keys_of(architecture: Architecture, theirs: Mapping[str, Any]) -> Keys:
    """What to type for the model of a config.json."""
    try:
        return architecture.keys(theirs)
    except KeyError as error:
        raise Mistake(f"its {CONFIG} lacks {error.args[0]}, which that of a {architecture.title} has") from error


# Out.


def described(config: DictConfig, *, causal: bool, vocab_size: int, eos: int) -> Described:
    """What a config.json says of a run, whose task wants a decoder (causal) or an encoder."""
    model, head = filled(configuration.plain(config.model)), configuration.plain(config.head)
    length = int(config.batch.seq_len)
    role: Role = "pair" if "encoder" in model else "decoder" if causal else "encoder"
    return Described(model=model, head=head, role=role, vocab_size=vocab_size, eos=eos, length=length)


def architecture_for(config: DictConfig, about: Described) -> tuple[Architecture, dict[str, Any]]:
    """The architecture that a run's model is one of, and its config.json.

    Raises:
        Mistake: where there is none, with the choices that the nearest has no place for.
    """
    for part in [about.model[side] for side in ("encoder", "decoder") if side in about.model] or [about.model]:
        kind = str(part["_target_"]).rpartition(".")[2]
        if kind != "Transformer":
            raise Mistake(
                f"format=huggingface has no architecture for a {kind}; it takes Transformers such as model=gpt2"
            )
    found: list[tuple[list[str], Architecture, dict[str, Any]]] = []
    for architecture in ARCHITECTURES:
        if architecture.role == about.role:
            theirs = complete(architecture, architecture.config(about))
            differing = differences(flat(config), wanted(keys_of(architecture, theirs)))
            reasons = [
                f"{key}={_spoken(ours)} (it has {_spoken(other)})"
                for key, ours, other in differing
                if not (key in architecture.zeros and other)
            ]
            found.append((reasons, architecture, theirs))
    reasons, nearest, theirs = min(found, key=lambda one: len(one[0]))
    if reasons:
        raise Mistake(
            f"format=huggingface: the nearest architecture, {nearest.title}, has no place for {', '.join(reasons)}"
        )
    return nearest, theirs


# Two configurations of one model.


def composed(keys: Keys) -> DictConfig:
    """The configuration of a command line that says these keys."""
    return configuration.compose(_words(keys))


def wanted(keys: Keys) -> dict[str, Any]:
    """The model and head of these keys, with dots."""
    return _wanted(tuple(_words(keys)))


@cache
def _wanted(words: tuple[str, ...]) -> dict[str, Any]:
    return flat(configuration.compose(words))


def _words(keys: Keys) -> list[str]:
    return [f"{key}={shown(value)}" for key, value in keys.items()]


def shortest(keys: Keys) -> str:
    """The command line without what the presets say already."""
    whole, kept = wanted(keys), dict(keys)
    for key in [key for key in keys if key != "model"]:
        fewer = {name: value for name, value in kept.items() if name != key}
        try:
            is_same = wanted(fewer) == whole
        except Mistake:  # a value of a choice that was taken away
            is_same = False
        kept = fewer if is_same else kept
    return " ".join(_words(kept))


def flat(config: DictConfig) -> dict[str, Any]:
    """Model and head with dots, widths that follow from others filled in, and without what has no effect."""
    model, head = filled(configuration.plain(config.model)), configuration.plain(config.head)
    leaves = {**dict(_leaves("model", model)), **dict(_leaves("head", head))}
    return {key: value for key, value in leaves.items() if key.rpartition(".")[2] not in WITHOUT_EFFECT}


def filled(model: Any) -> Any:
    """A block of the model with null replaced by what it stands for."""
    if isinstance(model, dict):
        model = {key: filled(value) if isinstance(value, dict) else value for key, value in model.items()}
        dim, feedforward = model.get("dim"), model.get("feedforward")
        for attention in (model.get("attention"), model.get("cross_attention")):
            if attention is not None and "num_heads" in attention:
                attention["num_kv_heads"] = attention.get("num_kv_heads") or attention["num_heads"]
                attention["head_dim"] = attention.get("head_dim") or dim // attention["num_heads"]
        if feedforward is not None and "hidden_dim" in feedforward:
            hidden, expansion = feedforward["hidden_dim"], feedforward["expansion"]
            feedforward["hidden_dim"] = width(dim=dim, expansion=expansion, hidden_dim=hidden)
    return model


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _leaves(f"{key}.{name}", one)
    else:
        yield key, value


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Keys with their values in two configurations; of parts that are other parts the choice alone."""
    unused = "model.encoder.cross_attention" if "model.encoder._target_" in theirs else "model.cross_attention"
    found: list[tuple[str, Any, Any]] = []
    for key in sorted({*ours, *theirs}, key=_parts_first):
        one, other = ours.get(key), theirs.get(key)
        is_same = one == other or not (one or other)  # null, false and a key that is younger than the run
        if not is_same and not key.startswith(unused) and not _is_within(key, found):
            found.append((key.removesuffix("._target_"), one, other))
    return [row for row in found if row[0] != "head" or _is_token_head(row[1])]


def _parts_first(key: str) -> tuple[bool, int, str]:
    return not key.endswith("._target_"), key.count("."), key


def _is_within(key: str, found: list[tuple[str, Any, Any]]) -> bool:
    return any(key.startswith(f"{before}.") for before, _, _ in found)


def _spoken(value: Any) -> str:
    """A value, or a part by the option that it is."""
    module, _, name = shown(value).rpartition(".")
    if not isinstance(value, str) or not module:
        return shown(value)
    option = module.rpartition(".")[2]
    return option if option.replace("_", "") == name.lower() else name


def _is_token_head(target: Any) -> bool:
    return str(target).rpartition(".")[2] in HEADS


def _has_token_head(config: DictConfig) -> bool:
    return _is_token_head(config.head._target_)
