"""lmlab list [GROUP]: the options of a group, a line on each."""

import sys

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
        options = groups[tree.group_of(word.strip("/"), groups, places) or ""]
        lines = [f"{option:<20} {tree.describe(path)}" for option, path in options.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
