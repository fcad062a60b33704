"""lmlab list [GROUP]: the options of a group, a line on each; of models and their parts with roles, parameters, paper."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from lmlab import config as configuration
from lmlab import tree
from lmlab.command import front
from lmlab.types import Mistake


def main(arguments: list[str]) -> int:
    """The command line of `lmlab list`."""
    flags, words = front.split(arguments)
    groups = tree.groups()
    places = tree.places(groups)
    if flags.help:
        return front.usage("lmlab list [GROUP ...]", f"GROUP is one of {', '.join(groups)}; none lists the groups.")
    if not words:
        lines = [f"{group:<20} {', '.join(options)}" for group, options in groups.items()]
        lines += [f"{place:<20} as {group}" for place, group in places.items()]
    for word in words:
        if tree.group_of(word.strip("/"), groups, places) is None:
            raise Mistake(f"there is no group {word!r}; {configuration.nearest(word, [*groups, *places])}")
    for word in words:
        group = tree.group_of(word.strip("/"), groups, places) or ""
        if tree.is_model(group):
            lines = [*of_models(group, groups[group])]
        else:
            lines = [f"{option:<20} {tree.describe(path)}" for option, path in groups[group].items()]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def of_models(group: str, options: Mapping[str, Path]) -> Iterator[str]:
    """A table; to fill it, each option is built, which takes the seconds that torch takes."""
    from lmlab.command.options import facts

    rows = [("option", "parameters", "roles", "paper", "what it is")]
    known, counted = facts(group)
    for option, found in known.items():
        size = "-" if found.parameters is None else f"{found.parameters:,}"
        path = options[option]
        rows.append((option, size, ", ".join(found.roles) or "-", tree.paper(path) or "-", tree.without_paper(path)))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, size, *texts in rows:
        cells = [text.ljust(width) for text, width in zip(texts, wide[2:], strict=True)]
        yield "  ".join((name.ljust(wide[0]), size.rjust(wide[1]), *cells)).rstrip()
    yield counted
