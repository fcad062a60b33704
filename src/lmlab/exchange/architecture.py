"""A published architecture as Hugging Face writes it: its config.json and its tensors' names, each read both ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from lmlab.exchange.tensors import Rule
from lmlab.types import Mistake

Role = Literal["decoder", "encoder", "pair"]
"""What a model is to its task; a pair is an encoder with the decoder that reads it."""

Keys = dict[str, Any]
"""What one types to get a model: choices (`model/feedforward`) and values (`model.dim`), from left to right."""


@dataclass(frozen=True)
class Described:
    """What a config.json says of a trained model."""

    model: Mapping[str, Any]
    """The composed configuration's block, with each part's width filled in (see lmlab.command.pretrained)."""
    head: Mapping[str, Any]
    role: Role
    vocab_size: int
    eos: int
    length: int
    """Tokens that the model saw at once in training."""


@runtime_checkable
class Architecture(Protocol):
    """One file of this folder."""

    title: str
    """As its paper calls it."""
    role: Role
    model_type: str
    """As config.json calls it."""
    defaults: Mapping[str, Any]
    """What config.json leaves out."""
    fixed: Mapping[str, Any]
    """What config.json may say one thing of only, because lmlab's model has nothing else."""
    zeros: tuple[str, ...]
    """Keys of lmlab's that may be false where the architecture has true: what is missing is written as zero."""
    prefix: str
    """Before the name of each of the model's tensors but the head's, where the file holds the head."""

    def keys(self, config: Mapping[str, Any]) -> Keys:
        """What to type for the model of a config.json."""

    def config(self, described: Described) -> dict[str, Any]:
        """The config.json of a model that `keys` gives; of another one as near as it comes."""

    def rules(self, config: Mapping[str, Any]) -> list[Rule]:
        """Every tensor, by its names there and here."""

    def is_left_out(self, name: str) -> bool:
        """Whether a tensor of the file follows from others, or belongs to a head for another task."""

    def renamed(self, name: str) -> str:
        """A tensor's name today, where older files have another."""


def complete(architecture: Architecture, config: Mapping[str, Any]) -> dict[str, Any]:
    """The config.json with what it leaves out.

    Raises:
        Mistake: where it asks for what lmlab's model has not.
    """
    found = {**architecture.defaults, **architecture.fixed, **config}
    for key, value in architecture.fixed.items():
        if found[key] != value:
            raise Mistake(
                f"its config.json has {key}={found[key]}, and lmlab's {architecture.title} has only {key}={value}"
            )
    return found


def by_type(architectures: Sequence[Architecture], config: Mapping[str, Any]) -> Architecture:
    """The one that config.json names."""
    name = config.get("model_type")
    for architecture in architectures:
        if architecture.model_type == name:
            return architecture
    known = ", ".join(architecture.model_type for architecture in architectures)
    raise Mistake(f"its config.json has model_type={name}; lmlab reads {known}")


ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "mlp",
    "relu": "relu",
    "relu2": "squared_relu",
}
"""Hugging Face's name of an activation -> lmlab's option of model/feedforward."""


def feedforward_of(activation: str) -> str:
    """The option of model/feedforward with an activation."""
    if activation not in ACTIVATIONS:
        raise Mistake(f"its config.json has the activation {activation}; lmlab reads {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[activation]


def activation_of(feedforward: Mapping[str, Any], default: str) -> str:
    """Hugging Face's name of a feed-forward's activation; the architecture's own where it has no such name."""
    activation = feedforward.get("activation") or {}
    kind = str(activation.get("_target_", "")).rpartition(".")[2]
    is_tanh = activation.get("approximate") == "tanh"
    return {"GELU": "gelu_new" if is_tanh else "gelu", "ReLU": "relu", "SquaredRelu": "relu2"}.get(kind, default)
