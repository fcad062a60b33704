"""Groups, options and keys read from the YAML files alone: what completion needs, without Hydra."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

PACKAGE = Path(__file__).parent


def roots() -> list[Path]:
    """Folders of configuration, first found first: the user's own, then lmlab's."""
    shipped = PACKAGE.parent.parent if (PACKAGE.parent.parent / "conf" / "train.yaml").is_file() else PACKAGE
    own = [Path.cwd() / "conf", Path.cwd() / "experiments"]
    if os.environ.get("LMLAB_CONF"):
        own.insert(0, Path(os.environ["LMLAB_CONF"]))
    found = [path.resolve() for path in [*own, shipped / "conf", shipped / "experiments"] if path.is_dir()]
    return list(dict.fromkeys(found))


def groups() -> dict[str, dict[str, Path]]:
    """Every group with its options and their files: {"model/attention": {"dot": .../dot.yaml}}."""
    found: dict[str, dict[str, Path]] = {}
    for root in reversed(roots()):
        for path in sorted(root.rglob("*.yaml")):
            group = path.parent.relative_to(root).as_posix()
            top, _, rest = group.partition("/")
            if top == "paper" and rest:  # paper/karpathy2022/shakespeare_cpu is one option of `paper`
                found.setdefault(top, {})[f"{rest}/{path.stem}"] = path
            elif group != ".":
                found.setdefault(group, {})[path.stem] = path
    return dict(sorted(found.items()))


PART = re.compile(r"^ *- (/?)([\w/]+)@([\w.]+):", re.MULTILINE)
"""A part of a defaults list that stands at a key of another name than its group's: attention@cross_attention."""


def places(known: Mapping[str, Mapping[str, Path]] | None = None) -> dict[str, str]:
    """Where a group stands under another name: {"model/cross_attention": "model/attention", "model/encoder": "model"}."""
    found: dict[str, str] = {}
    for group, options in (groups() if known is None else known).items():
        for path in options.values():
            for is_absolute, name, place in PART.findall(path.read_text(encoding="utf-8")):
                below = "" if group == "." else f"{group}/"
                found[below + place.replace(".", "/")] = name if is_absolute else below + name
    return dict(sorted(found.items()))


def group_of(path: str, known: Mapping[str, Any], others: Mapping[str, str]) -> str | None:
    """The group whose options a place takes: model/encoder/cross_attention takes those of model/attention.

    Args:
        known: the groups.
        others: `places`.
    """
    if path in known:
        return path
    if path in others:
        return others[path]
    parent, _, name = path.rpartition("/")
    group = group_of(parent, known, others) if parent else None
    if group is None:
        return None
    return group_of(f"{group}/{name}", known, others) if group != parent else None


def parents_of(path: str, known: Mapping[str, Mapping[str, Path]], others: Mapping[str, str]) -> Iterator[str]:
    """The options that name the part themselves: for model/encoder `model=seq2seq`."""
    parent, _, name = path.rpartition("/")
    group = group_of(parent, known, others) if parent else None
    for option, file in known.get(group or "", {}).items():
        if re.search(rf"^ *- (?:[\w/]+@)?{name}:", file.read_text(encoding="utf-8"), re.MULTILINE):
            yield f"{parent}={option}"


def is_optional(path: str, known: Mapping[str, Mapping[str, Path]], others: Mapping[str, str]) -> bool:
    """Whether the part may be taken away: null stands in its place."""
    parent, _, name = path.rpartition("/")
    files = (
        known[group_of(parent, known, others) or ""][one.rpartition("=")[2]] for one in parents_of(path, known, others)
    )
    return any(re.search(rf"^{name}: null\b", file.read_text(encoding="utf-8"), re.MULTILINE) for file in files)


def describe(path: Path) -> str:
    """What an option is: the first comment of its file that is not a package header."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @package"):
            return line.lstrip("# ").strip()
    return ""


PAPER = re.compile(r" ?\(([^()]*\b(?:19|20)\d\d[a-z]?\b[^()]*)\)")
"""What stands in brackets with a year."""


def is_model(group: str) -> bool:
    """Whether a group is of models, or of parts that stand in one; not of what such a part is made of."""
    return group == "model" or (group.startswith("model/") and group.count("/") == 1)


def paper(path: Path) -> str:
    """Where an option was published: the last bracket of its description that has a year."""
    found = PAPER.findall(describe(path))
    return str(found[-1]) if found else ""


def without_paper(path: Path) -> str:
    """An option's description without the bracket that is its paper."""
    text = describe(path)
    found = list(PAPER.finditer(text))
    return text[: found[-1].start()] + text[found[-1].end() :] if found else text


def options() -> dict[str, list[str]]:
    """Groups, and places that take those of a group, with the names of their options."""
    known = groups()
    by_place = {place: known[group] for place, group in places(known).items() if group in known}
    return {place: list(found) for place, found in {**known, **by_place}.items()}


def keys(config_name: str, overrides: Sequence[str]) -> Iterator[str]:
    """Dotted keys of a front page with the groups that the overrides choose."""
    path = next(root / f"{config_name}.yaml" for root in roots() if (root / f"{config_name}.yaml").exists())
    page = yaml.safe_load(path.read_text(encoding="utf-8"))
    yield from leaves({key: value for key, value in page.items() if key != "defaults"})
    known = groups()
    typed = dict(word.partition("=")[::2] for word in overrides if "=" in word)
    for entry in page.get("defaults", []):
        if isinstance(entry, dict):
            (group, default), *_ = entry.items()
            option = typed.get(group, default)
            if isinstance(option, str) and option in known.get(group, {}):
                yield from option_keys(group, option, known, typed=typed)


def option_keys(
    group: str,
    option: str,
    known: Mapping[str, Mapping[str, Path]],
    package: str | None = None,
    typed: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[str]:
    """Keys of an option and of the parts that it chooses, below its package, which is the group's name or what @ says.

    Args:
        typed: choices of parts by place, which count before those of the file: {"model/encoder": "gru"}.
    """
    text = known[group][option].read_text(encoding="utf-8")
    values = yaml.safe_load(text) or {}
    package = package or ("" if "@package _global_" in text else f"{group.replace('/', '.')}.")
    own = {key: value for key, value in values.items() if key != "defaults"}
    yield from leaves(own, package)
    elsewhere = {f"{package}{key}" for key in references(own)}
    for entry in values.get("defaults", []):
        if isinstance(entry, str) and entry in known[group]:
            yield from option_keys(group, entry, known, package, typed)
        for part, default in entry.items() if isinstance(entry, dict) else ():
            name, _, place = part.removeprefix("override ").partition("@")
            below = name.removeprefix("/") if name.startswith("/") else f"{group}/{name}"
            at = f"{package}{place or name.removeprefix('/')}"
            choice = typed.get(at.replace(".", "/"), default)
            if choice in known.get(below, {}):
                found = option_keys(below, choice, known, f"{at}.", typed)
                yield from (key for key in found if not any(key.startswith(f"{other}.") for other in elsewhere))


def names(group: str, option: str, known: Mapping[str, Mapping[str, Path]]) -> Iterator[str]:
    """Keys and parts of an option, without what is below them."""
    values = yaml.safe_load(known[group][option].read_text(encoding="utf-8")) or {}
    yield from (key for key in values if key != "defaults")
    for entry in values.get("defaults", []):
        if isinstance(entry, str) and entry in known[group]:
            yield from names(group, entry, known)
        for part in entry if isinstance(entry, dict) else ():
            name, _, place = part.removeprefix("override ").partition("@")
            yield (place or name).split(".")[0]


def references(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys whose value stands at another key."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from references(value, f"{prefix}{key}.")
        elif isinstance(value, str) and value.startswith("${"):
            yield f"{prefix}{key}"


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of all values but Hydra's own."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        elif not str(key).startswith("_"):
            yield f"{prefix}{key}"
