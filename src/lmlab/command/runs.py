"""lmlab runs: the runs as a table, filtered and sorted."""

import logging
import re
import sys
from collections.abc import Sequence
from typing import Any

from lmlab import config as configuration
from lmlab.command import front
from lmlab.types import Mistake

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """The command line of `lmlab runs`."""
    flags, words = front.split(arguments)
    if flags.help:
        return front.usage(
            "lmlab runs [FILTER ...] [sort=KEY] [columns=KEY,KEY] [format=text|markdown|csv]",
            "Lists runs, oldest first; filters and columns take config keys, status, name and figures:",
            "  lmlab runs model.dim=128 'val/loss<1.9' sort=-val/loss columns=id,model.dim,val/loss",
        )
    from lmlab.launcher.find import output_dir
    from lmlab.report import table
    from lmlab.run.store import runs

    settings, filters = {"sort": "", "columns": ",".join(table.COLUMNS), "format": "text"}, []
    for word in words:
        key, sign, value = word.partition("=")
        if sign and key in settings:
            settings[key] = value
        else:
            filters.append(word)
    forms = {"text": table.text, "markdown": table.markdown, "csv": table.to_csv}
    if settings["format"] not in forms:
        raise Mistake(f"format={settings['format']} is wrong: expected text, markdown or csv")
    known = runs(output_dir())
    columns = settings["columns"].split(",")
    if not known:
        log.info("there are no runs in %s yet; lmlab train makes one", output_dir())
        return 0
    check_keys([*columns, settings["sort"].lstrip("-"), *(re.split(r"[<>!=]", word)[0] for word in filters)], known)
    found = table.rows(known, columns=columns, filters=filters, sort=settings["sort"] or None)
    sys.stdout.write(forms[settings["format"]](found))
    return 0


def check_keys(keys: Sequence[str], known: Sequence[Any]) -> None:
    """Refuses keys that no run has."""
    from lmlab.report import table

    there = [*table.COLUMNS, *table.ABOUT, *table.every_key(known)]
    for key in keys:
        if key and key not in there:
            raise Mistake(f"no run has {key!r}; {configuration.nearest(key, there)}")
