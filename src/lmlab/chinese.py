"""Chinese text: its characters, and whether a text is in it."""

import re
from collections.abc import Sequence

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Its characters, without marks, for a character class of a regular expression."""

ONE_HAN = re.compile(f"[{HAN}]")

LOOKED_AT = 100
"""Texts by which the script is told."""


def is_chinese(texts: Sequence[str]) -> bool:
    """Whether Chinese characters are more than half of the letters and digits of the first texts."""
    start = "".join(texts[:LOOKED_AT])
    return len(ONE_HAN.findall(start)) > sum(letter.isalnum() for letter in start) / 2
