"""Types and ranges of every value, against the signatures of what will be built; all faults are reported together."""

import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from beartype.door import is_bearable
from omegaconf import DictConfig, OmegaConf

from lmlab.config import SIDES, TEXT_MODEL, has, nearest, one_line, own_names
from lmlab.types import Mistake

MODELS = ("model", *(f"model.{side}" for side in SIDES), TEXT_MODEL)

OWN: dict[str, Any] = {
    "trainer.max_tokens": int | None,
    "trainer.compile": bool,
    "trainer.activation_checkpointing": bool,
    "trainer.threads": int | None,
    "trainer.log_every": int,
    "trainer.precision": str | int,
    "trainer.max_steps": int | Literal["auto"],
    "trainer.max_epochs": int | float | None,
    "trainer.max_time": str | None,
    "trainer.devices": int,
    "trainer.gradient_clip_val": int | float | None,
    "model.params": str | int | None,
    "task.evaluation": str | None,
    **{f"{model}.embedding.init_from": str | None for model in MODELS},
    **{f"{model}.embedding.freeze": bool for model in MODELS},
    "seed": int,
    "project": str,
    "name": str | None,
    "tags": list[str],
    "output_dir": str,
    "monitor": str,
    "direction": str,
    "fresh": bool,
    "debug": bool,
    "sweep.name": str | None,
    "sweep.dir": str,
    "sweep.search": Literal["random", "tpe", "cmaes", "gp", "nsga2"] | None,
    "sweep.num_trials": int,
    "sweep.seed": int,
    "sweep.pruner": Literal["median", "asha", "hyperband"] | None,
    "sweep.metric": str | list[str] | None,
    "sweep.direction": str | list[str] | None,
    "sweep.parallel": int | None,
    "sweep.jobs_per_device": int,
    "sweep.job_timeout": int | float | None,
    "sweep.match": Literal["params", "flops", "tokens", "time"] | None,
}
"""lmlab's own keys that no constructor takes as they stand, with their types."""

POSITIVE = (
    "batch.size", "batch.micro_size", "batch.seq_len", "batch.eval_size", "model.dim", "model.num_layers",
    "model.attention.num_heads", "model.attention.num_kv_heads", "model.attention.head_dim", "optimizer.lr",
    "trainer.val_check_interval", "trainer.devices", "trainer.num_nodes", "trainer.log_every", "trainer.threads",
    "checkpoint.every", "checkpoint.keep",
    "trainer.max_tokens", "trainer.max_epochs", "trainer.gradient_clip_val", "tokenizer.vocab_size", "num",
    "tokenizer.min_count", "optimizer.num_iterations", "model.position.base", "model.position.max_length",
    "sweep.num_trials", "sweep.parallel", "sweep.jobs_per_device", "sweep.job_timeout",
    "tokenizer.phrases", "tokenizer.phrase_passes", "num_beams", "no_repeat_ngram", "batch.masking.max_length",
    "task.temperature",
)  # fmt: skip

NOT_NEGATIVE = (
    "seed", "batch.num_workers", "optimizer.weight_decay", "optimizer.momentum", "optimizer.eps",
    "optimizer.initial_accumulator_value", "samples.every", "samples.num", "samples.max_tokens", "samples.temperature",
    "early_stopping.patience", "early_stopping.min_delta", "schedule.patience", "schedule.gamma", "schedule.after",
    "model.init_std", "model.init_range", "head.init_range", "model.norm.eps", "max_tokens", "temperature",
    "tokenizer.phrase_discount", "length_penalty", "task.pseudo_perplexity", "task.weight",
)  # fmt: skip

FRACTION = ("model.dropout", "model.attention.dropout", "task.label_smoothing", "ema.decay", "batch.rate")

SHARE = ("schedule.min_ratio", "batch.random_rate", "batch.keep_rate")

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")

LARGEST_SEED = 2**63 - 1

TIME = re.compile(r"\d+:\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Fault:
    """One wrong value."""

    key: str
    value: Any
    expected: str

    def __str__(self) -> str:
        return f"{self.key}={shown(self.value)} is wrong: expected {self.expected}"


def shown(value: Any) -> str:
    """A value as one types it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def check(config: DictConfig) -> None:
    """Types and ranges of every value, against the signatures of what will be built.

    Raises:
        Mistake: naming all faults, one a line.
    """
    faults = [*_own_faults(config), *_range_faults(config)]
    for key, node in targets(config):
        faults += _signature_faults(key, node, faults)
    lines = [str(fault) for fault in faults]
    lines += [f"{key} must be given: {key}=..." for key in sorted(OmegaConf.missing_keys(config))]
    if lines:
        raise Mistake("\n".join(dict.fromkeys(lines)))


def check_types(config: DictConfig, hints: Mapping[str, Any]) -> None:
    """The keys of a small command, by their types and ranges; a whole number where any may stand becomes a float."""
    for key in sorted(OmegaConf.missing_keys(config)):
        raise Mistake(f"{key}=??? stands for a value that is missing; give {key} another")
    wrong = [Fault(key, config[key], spoken(hint)) for key, hint in hints.items() if not fits(config[key], hint)]
    wrong += [fault for fault in _range_faults(config) if fault.key not in {before.key for before in wrong}]
    if wrong:
        raise Mistake("\n".join(map(str, wrong)))
    for key, hint in hints.items():
        if isinstance(config[key], int) and float in _members(hint):
            config[key] = float(config[key])


def targets(config: DictConfig, prefix: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Every block that builds an object."""
    for key in config:
        node, name = config._get_node(key), f"{prefix}{key!s}"
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing():
            if "_target_" in node:
                yield name, node
            yield from targets(node, f"{name}.")


def _value(config: DictConfig, key: str) -> Any:
    value = OmegaConf.select(config, key, throw_on_missing=False) if has(config, key) else None
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _is_reference(config: DictConfig, key: str) -> bool:
    """Whether the value stands at another key, which is where it is checked."""
    block, _, name = key.rpartition(".")
    return OmegaConf.is_interpolation(OmegaConf.select(config, block) if block else config, name)


def _own_faults(config: DictConfig) -> Iterator[Fault]:
    for key, hint in OWN.items():
        if has(config, key) and not fits(_value(config, key), hint):
            yield Fault(key, _value(config, key), spoken(hint))


def _range_faults(config: DictConfig) -> Iterator[Fault]:
    for key in POSITIVE:
        value = _value(config, key)
        if isinstance(value, int | float) and not isinstance(value, bool) and not value > 0:
            yield Fault(key, value, "a number above 0")
    for key in FRACTION:
        value = _value(config, key)
        if isinstance(value, int | float) and not 0 <= value < 1 and not _is_reference(config, key):
            yield Fault(key, value, "a number from 0 up to, but not including, 1")
    for key in NOT_NEGATIVE:
        value = _value(config, key)
        if isinstance(value, int | float) and not value >= 0:
            yield Fault(key, value, "a number from 0 up")
    for key in SHARE:
        value = _value(config, key)
        if isinstance(value, int | float) and not 0 <= value <= 1:
            yield Fault(key, value, "a number from 0 to 1")
    for key in (f"{part}.params" for part in MODELS[1:]):
        if _value(config, key) is not None:
            yield Fault(key, _value(config, key), "null: the size is fixed of the whole, by model.params")
    yield from _embedding_faults(config)
    yield from _form_faults(config)


def _embedding_faults(config: DictConfig) -> Iterator[Fault]:
    """The block that no constructor checks: a value in its place, or a key in it that nothing reads."""
    for key in (f"{model}.embedding" for model in MODELS):
        if has(config, key) and (
            not isinstance(block := _value(config, key), dict) or {*block} - {"init_from", "freeze"}
        ):
            yield Fault(key, block, f"{key}.init_from=FILE and {key}.freeze=true")


def _form_faults(config: DictConfig) -> Iterator[Fault]:
    direction, steps, time, share, seed = (
        _value(config, key)
        for key in ("direction", "trainer.max_steps", "trainer.max_time", "trainer.limit_val_batches", "seed")
    )
    if direction not in (None, "minimize", "maximize"):
        yield Fault("direction", direction, "minimize or maximize")
    if isinstance(steps, int) and steps < 1 and steps != -1:
        yield Fault("trainer.max_steps", steps, "a number of steps from 1 up, -1 (no limit) or auto")
    if isinstance(time, str) and not TIME.fullmatch(time):
        yield Fault("trainer.max_time", time, "DD:HH:MM:SS, such as 00:08:00:00 for eight hours")
    if (isinstance(share, float) and not 0 < share <= 1) or (isinstance(share, int) and share < 1):
        yield Fault("trainer.limit_val_batches", share, "a number of batches from 1 up, or a share of them up to 1.0")
    precision = _value(config, "trainer.precision")
    if precision is not None and str(precision) not in ("auto", "32", "16", "bf16", "64", *PRECISIONS):
        yield Fault("trainer.precision", precision, f"{', '.join(PRECISIONS)} or auto")
    if isinstance(seed, int) and seed > LARGEST_SEED:
        yield Fault("seed", seed, f"a number up to {LARGEST_SEED}")


def _signature_faults(key: str, node: DictConfig, before: list[Fault]) -> Iterator[Fault]:
    target = str(node._target_)
    try:
        built = pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise Mistake(f"{key}._target_={target} cannot be imported: {one_line(error)}") from error
    parameters = inspect.signature(built).parameters
    hints = _hints(built)
    anything = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    for name in map(str, node):
        if name.startswith("_") or name in own_names(key) or OmegaConf.is_missing(node, name):
            continue
        full = f"{key}.{name}"
        if name not in parameters and not anything:
            raise Mistake(
                f"there is no key {full!r}: {target.rsplit('.', 1)[-1]} takes no {name}; {nearest(name, parameters)}"
            )
        value = _value(node, name)
        taken = full in OWN or any(fault.key == full for fault in before)
        if not taken and name in hints:
            yield from _type_faults(full, value, hints[name])


def _type_faults(key: str, value: Any, hint: Any) -> Iterator[Fault]:
    if isinstance(value, dict):  # a part, or a mapping of which one can say what it holds
        entry = get_args(hint)[-1] if get_origin(hint) in (dict, Mapping) else None
        wrong = {name: one for name, one in value.items() if entry is not None and not fits(one, entry)}
        yield from (Fault(f"{key}.{name}", one, spoken(entry)) for name, one in wrong.items())
    elif not fits(value, hint):
        yield Fault(key, value, spoken(hint))


def _hints(built: Any) -> dict[str, Any]:
    try:
        return get_type_hints(built.__init__ if inspect.isclass(built) else built)
    except (
        Exception
    ):  # a library's annotations that name what it did not import: its values are checked when it is built
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value is of the annotated type; an int is a float, a list is a tuple or sequence."""
    candidates = [value]
    if isinstance(value, int) and not isinstance(value, bool):
        candidates.append(float(value))
    if isinstance(value, list):
        candidates.append(tuple(value))
    if isinstance(value, bool) and bool not in _members(hint):
        return False
    if isinstance(value, str) and "Callable" in str(hint):
        return False
    try:
        return any(is_bearable(candidate, hint) for candidate in candidates)
    except Exception:  # beartype cannot read the annotation: nothing is known against the value
        return True


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) or (hint,)


WORDS = {
    int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null", list: "a list",
    tuple: "a list", dict: "a mapping",
}  # fmt: skip


def spoken(hint: Any) -> str:
    """A type in the words of a command line."""
    words = dict.fromkeys(_words(hint))
    if WORDS[float] in words:
        words.pop(WORDS[int], None)
    return " or ".join(words)


def _words(hint: Any) -> Iterator[str]:
    origin = get_origin(hint)
    if origin is Literal:
        yield from map(str, get_args(hint))
    elif origin in (Union, UnionType):
        for member in get_args(hint):
            yield from _words(member)
    elif origin is tuple and Ellipsis not in get_args(hint):
        members = get_args(hint)
        yield f"a list of {len(members)}, each {spoken(members[0])}"
    elif origin in (list, tuple, Sequence):
        yield f"a list such as [a,b], each {spoken(get_args(hint)[0])}"
    elif origin is Mapping or origin is dict:
        yield f"a mapping such as {{a: ...}}, each {spoken(get_args(hint)[-1])}"
    elif hint in WORDS:
        yield WORDS[hint]
    elif getattr(hint, "__module__", "").split(".")[0] != "torch":  # a tensor is not typed on a command line
        yield str(getattr(hint, "__name__", hint)).replace("typing.", "")
