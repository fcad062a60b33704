"""From a command line to a checked, composed configuration, and from there to objects; every mistake in one sentence."""

import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.utils import get_class, get_object, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lmlab.composition import Files, without_hydra
from lmlab.tree import group_of, groups, is_optional, names, parents_of, places, roots
from lmlab.types import Mistake

OPTIONAL_TEXT = (
    "name", "init_from", "cache_dir", "path", "sweep.name", "data.path", "data.root", "data.val_path",
    "data.test_path", "data.separator", "data.layout.separator",
    "data.source_path", "data.target_path", "data.val_source_path", "data.val_target_path", "data.test_source_path",
    "data.test_target_path",
    "data.label_separator", "data.label_until", "data.join", "tokenizer.pattern", "task.evaluation", "model.embedding.init_from",
    "model.encoder.embedding.init_from", "model.decoder.embedding.init_from", "head.text.embedding.init_from", "data.folder",
)  # fmt: skip
"""Keys whose value is plain text, taken as it is typed, or null."""

TEXT = (
    "prompt", "text", "second", "word", "analogy", "checkpoint", "output_dir", "sweep.dir", "samples.prompt", "tokenizer.path",
    "data.suffix",
    *OPTIONAL_TEXT,
)  # fmt: skip
"""Keys whose value is plain text, taken as it is typed; `null` is a word like others where no null may stand."""

NOT_FOR_CONSTRUCTOR = {
    "trainer": ("max_tokens", "compile", "activation_checkpointing", "threads", "log_every"),
    "model": ("params", "brings", "embedding"),
    "head": ("brings",),
    "task": ("evaluation",),
}
"""lmlab's own keys beside those of a constructor, taken out before building."""


BRINGING = ("model", "head")
"""Groups whose options may bring others with them."""


class Known:
    """The groups, and the places that take those of a group, read from the files at the first question and once."""

    @cached_property
    def groups(self) -> dict[str, dict[str, Path]]:
        return groups()

    @cached_property
    def places(self) -> dict[str, str]:
        return places(self.groups)

    def options(self, place: str) -> dict[str, Path]:
        """The options of a group, or of a place that takes those of a group: model/encoder takes those of model."""
        group = group_of(place, self.groups, self.places)
        return {} if group is None else self.groups[group]

    def is_optional(self, place: str) -> bool:
        """Whether the part that stands there may be taken away."""
        return is_optional(place, self.groups, self.places)


# Composing.


def compose(
    overrides: Sequence[str], *, config_name: str = "train", verb: str = "train", with_hydra: bool = False
) -> DictConfig:
    """The composed configuration of a command line; `verb` is the one whose --help a message names.

    Raises:
        Mistake: for an unknown group, option or key (with the nearest ones), or a value that Hydra's grammar refuses.
    """
    with entered():
        parsed = parse([quoted(override) for override in overrides], verb)
        known = groups() if config_name == "train" else {}
        parsed = [*(one for one in brought(parsed, known) if _has_place(one, parsed, config_name)), *parsed]
        chosen = [override for override in parsed if override.get_key_element().split("@")[0].lstrip("+~") in known]
        _report(fault for override in parsed for fault in _several(override) or _group_faults(override, known))
        if any(override.is_add() or override.is_delete() for override in parsed):
            _check_keys(parsed, chosen, known, config_name, verb)
        try:
            composed = _composed(config_name, parsed, with_hydra)
            with open_dict(composed):
                for group in BRINGING:
                    (composed.get(group) or {}).pop("brings", None)  # done
            _report(fault for override in chosen for fault in _elsewhere_faults(override, composed))
            for override in {
                one.get_key_element(): one for one in chosen
            }.values():  # of two for one part the last counts
                _drop_leftovers(composed, override, known, parsed)
            _take_away(chosen, composed)
            return composed
        except Mistake:  # a key that is not there, as Hydra says it: say it better
            _check_keys(parsed, chosen, known, config_name, verb)
            raise


@contextmanager
def entered() -> Iterator[None]:
    """Hydra with lmlab's search path."""
    folders = roots()
    GlobalHydra.instance().clear()
    initialize_config_dir(str(folders[-1]), version_base="1.3", job_name="lmlab")
    loader: Any = GlobalHydra.instance().config_loader()
    search_path = loader.get_search_path()
    for folder in reversed(folders[:-1]):
        search_path.prepend(provider="lmlab", path=f"file://{folder}")
    loader.repository = Files(search_path)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


def _composed(config_name: str, overrides: Sequence[Override], with_hydra: bool = False) -> DictConfig:
    try:
        if with_hydra or any(override.is_hydra_override() for override in overrides):
            return hydra_compose(config_name, _lines(overrides), return_hydra_config=with_hydra)
        try:
            return without_hydra(config_name, overrides)
        except HydraException as error:
            if "hydra/" not in str(error):
                raise
            return hydra_compose(config_name, _lines(overrides))  # a page of the user's own overrides a part of Hydra
    except (HydraException, OmegaConfBaseException) as error:
        if place := re.search(r"Could not override '([^']+)'", str(error)):
            raise Mistake(_without_place(as_typed(place[1]), config_name)) from error
        raise Mistake(one_line(error)) from error


def option(group: str, name: str) -> Any:
    """An option with the parts that it chooses itself, outside any experiment."""
    parsed = OverridesParser.create().parse_override(f"+{group}={name}")
    with entered():
        return OmegaConf.select(without_hydra(None, [parsed]), group.replace("/", "."))


def brought(parsed: Sequence[Override], known: dict[str, dict[str, Path]]) -> list[Override]:
    """What a model brings with it, such as GloVe its counts and its loss, or a head its decoding, unless the command line says
    otherwise.

    The values of a part that is chosen otherwise stay away with it.
    """
    typed = {override.get_key_element().lstrip("~+"): override.value() for override in parsed}
    paths = [known.get(group, {}).get(str(typed.get(group))) for group in BRINGING]
    lines = [line for path in paths if path for line in yaml.safe_load(path.read_text("utf-8")).get("brings") or ()]
    lines = [line for line in lines if not {line.partition("=")[0], line.partition(".")[0]} & {*typed}]
    return parse(lines) if lines else []


def _has_place(brought: Override, parsed: Sequence[Override], config_name: str) -> bool:
    """Whether what is typed has a place for a part that is brought: `decoding` stands in some tasks alone."""
    if brought.key_or_group != "decoding":
        return True
    try:
        _composed(config_name, [brought, *parsed])
    except Mistake:
        return False
    return True


def _drop_leftovers(
    config: DictConfig, override: Override, known: dict[str, dict[str, Path]], typed: Sequence[Override]
) -> None:
    """A preset's or a task's values for a part, which the part chosen instead does not know: model=gpt2 model/position=alibi."""
    group, _, package = override.get_key_element().partition("@")
    place, option = package or group.replace("/", "."), override.value()
    block = OmegaConf.select(config, place)
    is_part = "." in place or place in ("tokenizer", "batch", "head", "optimizer", "schedule")
    if not is_part or not isinstance(block, DictConfig) or not isinstance(option, str):
        return
    taken = {*names(group, option, known)}
    own = {line.key_or_group.removeprefix(f"{place}.").split(".")[0] for line in typed}
    with open_dict(block):
        for key in [str(key) for key in block]:
            if not key.startswith("_") and key not in taken and key not in own:
                del block[key]


def _without_place(part: str, config_name: str) -> str:
    parent = part.rpartition("/")[0] or "configuration"
    known = groups()
    having = list(parents_of(part, known, places(known)))
    return (
        f"{part} has no place here: the chosen {parent} has no such part; "
        + (f"{' and '.join(having[:3])} has it, and " if having else "")
        + f"lmlab {'train' if config_name == 'train' else config_name} --cfg job shows what there is"
    )


def _lines(overrides: Sequence[Override]) -> list[str]:
    return [override.input_line or "" for override in overrides]


def parse(overrides: Sequence[str], verb: str = "train") -> list[Override]:
    """Hydra's grammar, its complaints in one sentence."""
    parsed: list[Override] = []
    parser, known = OverridesParser.create(), Known()
    for override in overrides:
        try:
            parsed.append(parser.parse_override(_placed(_without_null(_with_slashes(override, known), known), known)))
        except HydraException as error:
            key, _, value = override.partition("=")
            if "=" not in override:
                raise Mistake(f"{override!r} is not of the form key=value; see lmlab {verb} --help") from error
            raise Mistake(
                f"the value of {key!r} is not understood: {value!r} (text with special characters goes in quotes inside "
                f"quotes: '{key}=\"...\"')"
            ) from error
    return parsed


def quoted(override: str) -> str:
    """A text key's value, whatever it holds, as a string of Hydra's grammar."""
    key, sign, value = override.partition("=")
    name = key.lstrip("+")
    if not sign or name not in TEXT or (value == "null" and name in OPTIONAL_TEXT):
        return override
    return f"{key}={in_quotes(value)}"


def in_quotes(text: str) -> str:
    """Any text as a string of Hydra's grammar."""
    backslashes = re.sub(r"(\\+)(?='|\Z)", r"\1\1", literal(text))  # Hydra unescapes backslashes only before a quote
    escaped = backslashes.replace("'", "\\'")
    return f"'{escaped}'"


def literal(value: Any) -> Any:
    """Text, or values that hold text, in which OmegaConf sees no interpolation."""
    if isinstance(value, dict):
        return {key: literal(one) for key, one in value.items()}
    if isinstance(value, list):
        return [literal(one) for one in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value


def _with_slashes(override: str, known: Known) -> str:
    """model.norm=rms_norm, a part by the key that it stands at, as the choice that it is: model/norm=rms_norm."""
    key, _, value = override.partition("=")
    place = key.replace(".", "/")
    if place == key or value == "null" or not re.fullmatch(r"[A-Za-z]\w*(,[A-Za-z]\w*)*", value):
        return override  # a key set to null stays a key
    options = known.options(place)
    is_choice = options and all(option in options or _is_none(place, option, known) for option in value.split(","))
    return f"{place}={value}" if is_choice else override


def _without_null(override: str, known: Known) -> str:
    """group=null or ~group, which Hydra may refuse: the option `none` where there is one, else the group taken away."""
    place, _, value = override.partition("=")
    if override.startswith("~") and known.options(override[1:]):
        place, value = override[1:], "null"
    if value not in ("null", "none") or not (options := known.options(place)):
        return override
    if "none" in options:
        return f"{place}=none"
    return f"~{place}" if value == "null" or _is_none(place, value, known) else override


def _is_none(place: str, value: str, known: Known) -> bool:
    """Whether the value takes away a part that one can do without."""
    return value in ("none", "null") and known.is_optional(place)


def options_of(place: str) -> dict[str, Path]:
    """The options of a group, or of a place that takes those of a group."""
    return Known().options(place)


def _placed(override: str, known: Known) -> str:
    """model/encoder=lstm as Hydra writes it: model@model.encoder=lstm."""
    match = re.fullmatch(r"(~|\+\+?|)([\w/]+)(=.*)?", override, re.DOTALL)
    if not match or "/" not in match[2] or match[2] in known.groups:
        return override
    group = group_of(match[2], known.groups, known.places)
    return override if group is None else f"{match[1]}{group}@{match[2].replace('/', '.')}{match[3] or ''}"


def as_typed(key: str) -> str:
    """model@model.encoder as one types it: model/encoder."""
    sign, name = key[: len(key) - len(key.lstrip("~+"))], key.lstrip("~+")
    group, at, package = name.partition("@")
    return f"{sign}{package.replace('.', '/')}" if at and group in groups() else key


def one_line(error: BaseException) -> str:
    """The first sentence of a library's message."""
    return str(error).strip().split("\n")[0]


# Names.


def _check_keys(
    overrides: Sequence[Override],
    chosen: Sequence[Override],
    known: dict[str, dict[str, Path]],
    config_name: str,
    verb: str,
) -> None:
    """Every override that chooses no option names a key that is there; all faults are reported together."""
    config = _composed(config_name, chosen)
    faults = (_key_faults(override, config, known, verb) for override in overrides if override not in chosen)
    _report(fault for some in faults for fault in some)


def _report(faults: Iterable[str]) -> None:
    if lines := list(faults):
        raise Mistake("\n".join(lines))


def _several(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return []
    key, values = as_typed(override.get_key_element()), (override.input_line or "").partition("=")[2]
    return [
        f"{key}={values} means several experiments; lmlab train -m runs each of them (a list is written {key}=[...], "
        "text with commas in quotes inside quotes)"
    ]


OPTIONAL = ("paper", "sweep", "logger")
"""Groups of which a command may have none."""


def _group_faults(override: Override, known: dict[str, dict[str, Path]]) -> list[str]:
    group = override.key_or_group.split("@")[0]
    if group not in known:
        return []
    place = as_typed(override.get_key_element().lstrip("~+"))
    if override.is_add():
        return [f"a choice is written without +: {place}={(override.input_line or '').partition('=')[2]}"]
    if override.is_delete():
        if group in OPTIONAL or is_optional(place, known, places(known)):
            return []
        return [f"{place} cannot be taken away; choose one: lmlab list {place} shows them all"]
    value = override.value()
    options = value if isinstance(value, list) else [value]
    wrong = [option for option in options if not isinstance(option, str) or option not in known[group]]
    if not wrong:
        return []
    there = [*known[group], *(["none"] if is_optional(place, known, places(known)) else [])]
    return [
        f"there is no {place}={option}; {nearest(str(option), there)} lmlab list {place} shows them all"
        for option in wrong
    ]


def _take_away(overrides: Sequence[Override], config: DictConfig) -> None:
    """What a preset sets of a part goes with the part."""
    for override in overrides:
        place = as_typed(override.get_key_element().lstrip("~+")).replace("/", ".")
        if override.is_delete() and "." in place and has(config, place):
            OmegaConf.update(config, place, None, merge=False)


def _elsewhere_faults(override: Override, config: DictConfig) -> list[str]:
    """A part that is chosen where another stands for it would be chosen in vain."""
    block, _, name = (override.package or "").rpartition(".")
    node = OmegaConf.select(config, block) if block else None
    if not isinstance(node, DictConfig) or not OmegaConf.is_interpolation(node, name):
        return []
    own = OmegaConf.to_yaml(OmegaConf.masked_copy(node, [name])).partition("{")[2].partition("}")[0].lstrip(".")
    place = f"{block.rpartition('.')[0]}.{own}".replace(".", "/")
    return [f"{as_typed(override.get_key_element())} is chosen for the whole model: {place}={override.value()}"]


def _key_faults(
    override: Override, config: DictConfig, known: dict[str, dict[str, Path]], verb: str = "train"
) -> list[str]:
    key = override.key_or_group
    if override.is_add() and "." in key and has(config, key.rpartition(".")[0]):
        return []
    if override.is_delete() and has(config, key):
        return _removal_faults(key, config)
    if not override.is_add() and has(config, key):
        return []
    near = nearest(key, [*known, *(places(known) if known else ()), *dotted(config)])
    if override.is_add():
        return [f"+{key} would make a new top-level key, which nothing reads; {near}"]
    where = "--help lists the groups, --cfg job the keys" if known else "--cfg job shows the keys"
    return [f"there is no key {'or group ' if known else ''}{key!r}; {near} lmlab {verb} {where}"]


def _removal_faults(key: str, config: DictConfig) -> list[str]:
    """What is taken away must have a default of its own, or be an entry of a mapping that a constructor takes whole."""
    block, _, name = key.rpartition(".")
    node = OmegaConf.select(config, block) if block else config
    is_part = isinstance(node, DictConfig) and "_target_" in node
    if not block or block in NOT_FOR_CONSTRUCTOR or (is_part and not _has_default(node._target_, name)):
        return [f"{key} cannot be taken away: nothing takes its place; set it to a value, or to null where that is one"]
    return []


def _has_default(target: str, name: str) -> bool:
    parameter = inspect.signature(get_object(target)).parameters.get(name)
    return parameter is not None and parameter.default is not inspect.Parameter.empty


def has(config: DictConfig, key: str) -> bool:
    """Whether the key stands in the config, be its value null or missing."""
    node: Any = config
    for part in key.split("."):
        if isinstance(node, ListConfig) and part.isdigit():
            node = node._get_node(int(part))
        elif isinstance(node, DictConfig) and not node._is_none() and part in node:
            node = node._get_node(part)
        else:
            return False
    return True


def dotted(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """All keys, with dots."""
    for key in config:
        name = str(key)
        if name.startswith("_"):
            continue
        node = config._get_node(key)
        yield f"{prefix}{name}"
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing():
            yield from dotted(node, f"{prefix}{name}.")


def nearest(name: str, names: Any) -> str:
    """'did you mean A or B?', by the whole name and by its last part."""
    pool = list(dict.fromkeys(str(known) for known in names))
    close = difflib.get_close_matches(name, pool, n=3, cutoff=0.6)
    last = name.split(".")[-1]
    close += [known for known in pool if known.split(".")[-1] == last and known not in close]
    close += [] if close else [k for k in pool if difflib.SequenceMatcher(None, last, k.split(".")[-1]).ratio() > 0.75]
    if close:
        return f"did you mean {' or '.join(close[:3])}?"
    return f"there are {', '.join(pool[:12])}{', ...' if len(pool) > 12 else '.'}"


# Building.


def plain(config: Any) -> Any:
    """Plain dictionaries and lists, interpolations resolved."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def build(config: DictConfig, key: str, *args: Any, **kwargs: Any) -> Any:
    """The object that a block describes; a ValueError of its constructor becomes the user's Mistake, with the key."""
    selected = OmegaConf.select(config, key)
    node = selected.copy()
    node._set_parent(selected._get_parent())
    without_own(node, key)
    try:
        return instantiate(node, *args, _convert_="all", **kwargs)
    except HydraException as error:
        cause = error.__cause__
        if isinstance(cause, Mistake):
            raise cause from error
        is_library = not str(node.get("_target_", "lmlab.")).startswith("lmlab.")
        if isinstance(cause, ValueError) or (is_library and isinstance(cause, Exception)):
            raise Mistake(f"{key}: {one_line(cause)}") from error
        raise


SIDES = ("encoder", "decoder")
"""The models of which a model may consist."""

TEXT_MODEL = "head.text"
"""The model of texts that a head has beside a model of images."""


def own_names(key: str) -> tuple[str, ...]:
    """lmlab's own keys of a block; a model within a model has those of a model."""
    is_model = key == TEXT_MODEL or re.fullmatch(rf"model(\.({'|'.join(SIDES)}))+", key)
    return NOT_FOR_CONSTRUCTOR.get("model" if is_model else key, ())


def without_own(node: DictConfig, key: str) -> None:
    """Takes lmlab's own keys out of a block, and out of those in it."""
    with open_dict(node):
        for name in own_names(key):
            node.pop(name, None)
    for inner in (*(f"model.{side}" for side in SIDES), TEXT_MODEL):
        block, _, side = inner.partition(".")
        if key.partition(".")[0] == block and isinstance(node.get(side), DictConfig):
            without_own(node[side], f"{key}.{side}")


def class_of(config: DictConfig, key: str) -> Any:
    """The class that a block names."""
    return get_class(config[key]._target_)


def stored(path: Path) -> DictConfig:
    """A run's composed configuration, in which nothing is left to be resolved."""
    config = OmegaConf.create(literal(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert isinstance(config, DictConfig), f"{path} holds no configuration"
    return config


def changed(config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """A stored configuration with values (not groups) changed on top."""
    faults: list[str] = []
    for override in parse([quoted(line) for line in overrides]):
        if override.key_or_group in groups():
            faults.append(f"{override.key_or_group} is a choice of parts, and a run keeps its parts; values may change")
        elif not has(config, override.key_or_group):
            faults += _key_faults(override, config, {})
        else:
            OmegaConf.update(config, override.key_or_group, override.value(), force_add=True)
    if faults:
        raise Mistake("\n".join(faults))
    return config


def write(config: DictConfig) -> str:
    """The composed configuration as YAML, interpolations resolved."""
    return OmegaConf.to_yaml(config, resolve=True)
