"""lmlab prepare [key=value ...]: read, verify and tokenise the data, so that training needs nothing but the cache."""

import logging
import sys

from lmlab import config as configuration
from lmlab.command import front

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """The command line of `lmlab prepare`."""
    flags, overrides = front.split(arguments, front.COMPOSING)
    if (done := front.answer(flags, overrides, verb="prepare")) is not None:
        return done
    config = configuration.compose(overrides, verb="prepare")
    from lmlab.command.experiment import resolve

    arrays = resolve(config).arrays
    for split, counts in arrays.meta["splits"].items():
        sys.stdout.write(
            f"{split:<6} {counts['tokens']:>12,} tokens  {counts['bytes']:>12,} bytes  {counts['documents']:>8,} documents\n"
        )
    sys.stdout.write(f"vocabulary of {arrays.tokenizer.vocab_size:,} tokens; cached in {arrays.path}\n")
    return 0
