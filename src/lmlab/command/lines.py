"""The texts of a file, one a line."""

from pathlib import Path
from typing import Any

from lmlab.types import Mistake


def text_of(path: str) -> str:
    """The whole text of a file."""
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"path={path} cannot be read as UTF-8 text ({error}); set path to a file of text") from None


def lines_of(path: str) -> list[list[str]]:
    """The texts of each line that is not empty; the two of a pair stand with a tab between them."""
    return [line.strip("\r").split("\t") for line in text_of(path).split("\n") if line.strip()]


def texts_of(loaded: Any, options: Any) -> list[str]:
    """The text, or the lines of the file."""
    if options.second:
        raise Mistake(
            f"second={options.second!r} is for pairs of texts, and {loaded.run.path} reads one text; leave it out"
        )
    return ["\t".join(row) for row in lines_of(options.path)] if options.path else [options.text]


def asked(options: Any) -> list[list[str]]:
    """A question and its context, `text` and `second`; or those of each line of the file, a tab between them."""
    pairs = lines_of(options.path) if options.path else [[options.text, options.second]]
    for number, pair in enumerate(pairs, start=1):
        if len(pair) != 2 or not all(map(str.strip, pair)):
            where = f"line {number} of path={options.path} has" if options.path else "there is"
            raise Mistake(
                f"{where} not one question and one context; give text=QUESTION second=CONTEXT, or in a file both in a "
                "line with a tab between"
            )
    return pairs
