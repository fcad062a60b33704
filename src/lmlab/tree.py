"""Groups, options and keys read from the YAML files alone: what completion needs, without Hydra."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
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


def describe(path: Path) -> str:
    """What an option is: the first comment of its file that is not a package header."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @package"):
            return line.lstrip("# ").strip()
    return ""


PAPER = re.compile(r" ?\(([^()]*\b(?:19|20)\d\d\b[^()]*)\)")
"""What stands in brackets with a year."""


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
    """Groups with the names of their options."""
    return {group: list(found) for group, found in groups().items()}


def keys(config_name: str, overrides: Sequence[str]) -> Iterator[str]:
    """Dotted keys of a front page with the groups that the overrides choose."""
    path = next(root / f"{config_name}.yaml" for root in roots() if (root / f"{config_name}.yaml").exists())
    page = yaml.safe_load(path.read_text(encoding="utf-8"))
    yield from leaves({key: value for key, value in page.items() if key != "defaults"})
    known = groups()
    for entry in page.get("defaults", []):
        if isinstance(entry, dict):
            (group, default), *_ = entry.items()
            typed = next((word.partition("=")[2] for word in overrides if word.startswith(f"{group}=")), default)
            if isinstance(typed, str) and typed in known.get(group, {}):
                yield from option_keys(group, typed, known)


def option_keys(
    group: str, option: str, known: Mapping[str, Mapping[str, Path]], package: str | None = None
) -> Iterator[str]:
    """Keys of an option and of the parts that it chooses, below its package, which is the group's name or what @ says."""
    text = known[group][option].read_text(encoding="utf-8")
    values = yaml.safe_load(text) or {}
    package = package or ("" if "@package _global_" in text else f"{group.replace('/', '.')}.")
    yield from leaves({key: value for key, value in values.items() if key != "defaults"}, package)
    for entry in values.get("defaults", []):
        if isinstance(entry, str) and entry in known[group]:
            yield from option_keys(group, entry, known, package)
        for part, choice in entry.items() if isinstance(entry, dict) else ():
            name, _, place = part.removeprefix("override ").partition("@")
            below = f"{group}/{name}"
            if choice in known.get(below, {}):
                yield from option_keys(below, choice, known, f"{package}{place or name}.")


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of all values but Hydra's own."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        elif not str(key).startswith("_"):
            yield f"{prefix}{key}"
