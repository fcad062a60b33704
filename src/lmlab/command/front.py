"""What every verb's command line shares: Hydra's flags, the help of groups and keys, the target."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from lmlab import config as configuration
from lmlab import tree
from lmlab.cli import VERBS
from lmlab.types import Mistake


@dataclass
class Flags:
    """Hydra's flags, under the names that Hydra gives them."""

    help: bool = False
    multirun: bool = False
    resolve: bool = False
    cfg: str | None = None
    package: str | None = None


SWITCHES = {"--help": "help", "-h": "help", "--multirun": "multirun", "-m": "multirun", "--resolve": "resolve"}
VALUED = {"--cfg": "cfg", "-c": "cfg", "--package": "package", "-p": "package"}


COMPOSING = (*SWITCHES, *VALUED)
"""The flags of the verbs that compose a configuration."""

ASKING = ("--help", "-h")
"""The flags of the others."""


def split(arguments: Sequence[str], known: Sequence[str] = ASKING) -> tuple[Flags, list[str]]:
    """Flags and the rest, in any order."""
    flags, rest = Flags(), []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, sign, value = word.partition("=")
        if word.startswith("-") and name not in known:
            raise Mistake(f"there is no flag {name}; flags are {', '.join(known)}, everything else is key=value")
        if word in SWITCHES:
            setattr(flags, SWITCHES[word], True)
        elif name in VALUED:
            if not sign and not waiting:
                raise Mistake(f"{name} needs a value: {name} job")
            setattr(flags, VALUED[name], value if sign else waiting.pop(0))
        else:
            rest.append(word)
    return flags, rest


def target(words: Sequence[str]) -> tuple[str, list[str]]:
    """The TARGET before the overrides; `latest` where none is given."""
    if words and ("=" not in words[0] or _is_there(words[0])):
        return words[0], list(words[1:])
    return "latest", list(words)


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long a name for a file: a prompt
        return False


def usage(line: str, *text: str) -> int:
    """Prints how a verb is used."""
    sys.stdout.write("\n".join([f"usage: {line}", "", *text]) + "\n")
    return 0


def answer(flags: Flags, overrides: Sequence[str], *, verb: str, config_name: str = "train") -> int | None:
    """Answers --help and --cfg; None where there is something to do."""
    if flags.help:
        sys.stdout.write(help_of(verb, config_name))
        return 0
    if flags.cfg is not None:
        sys.stdout.write(shown(flags, overrides, verb, config_name))
        return 0
    if flags.resolve or flags.package:
        raise Mistake(f"--{'resolve' if flags.resolve else 'package'} belongs to --cfg job; lmlab {verb} --help")
    if flags.multirun and verb not in ("train", "check"):
        raise Mistake(f"-m belongs to lmlab train, which runs several experiments; lmlab {verb} does one thing")
    return None


def shown(flags: Flags, overrides: Sequence[str], verb: str, config_name: str) -> str:
    """What `--cfg job|hydra|all` prints."""
    if flags.cfg not in ("job", "hydra", "all"):
        raise Mistake(f"--cfg {flags.cfg} is wrong: expected job, hydra or all")
    config = configuration.compose(overrides, config_name=config_name, verb=verb, with_hydra=flags.cfg != "job")
    if flags.cfg == "hydra":
        config = OmegaConf.create({"hydra": config.hydra}) if not flags.resolve else config.hydra
    header = ""
    if flags.package:
        if not configuration.has(config, flags.package):
            known = configuration.nearest(flags.package, configuration.dotted(config))
            raise Mistake(f"there is no package {flags.package!r}; {known}")
        header, config = f"# @package {flags.package}\n", OmegaConf.select(config, flags.package)
    return header + OmegaConf.to_yaml(config, resolve=flags.resolve)


def help_of(verb: str, config_name: str) -> str:
    """Every group with its options, a line on each, and the keys of the front page."""
    if config_name != "train":
        lines = [f"usage: lmlab {verb} [RUN] [key=value ...]", "", VERBS[verb], "", "Keys (key=value):", ""]
        return "\n".join([*lines, *keys(config_name)]) + "\n"
    flags = " [-m] [--cfg job] [--resolve]" if verb == "train" else ""
    lines = [f"usage: lmlab {verb} [group=option ...] [key=value ...]{flags}", "", VERBS[verb], ""]
    lines += ["Groups (group=option):", ""]
    known = tree.groups()
    for group, options in known.items():
        lines.append(f"  {group}")
        lines += [f"    {option:<16} {tree.describe(path)}" for option, path in options.items()]
    lines += [f"  {place:<22} takes the options of {group}" for place, group in tree.places(known).items()]
    lines += ["", "Keys (key=value); lmlab train --cfg job shows those of the chosen parts as well:", ""]
    return "\n".join([*lines, *keys(config_name)]) + "\n"


def keys(config_name: str) -> list[str]:
    """The front page's own keys with their comments, as they stand in its file."""
    path = next(root / f"{config_name}.yaml" for root in tree.roots() if (root / f"{config_name}.yaml").exists())
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((number for number, line in enumerate(lines) if line and line[0] not in "#d -"), 0)
    return [f"  {line}".replace(" #", "  #") for line in lines[start:] if "_target_" not in line]
