"""Questions a : b = c : ? (Mikolov et al. 2013a, questions-words.txt; CA8, Li et al. 2018): four words a line, ": " a section."""

from __future__ import annotations

from pathlib import Path

from lmlab.data.eval_lines import ADVICE, eval_lines
from lmlab.types import Analogy, Mistake


def read_word_analogies(path: Path) -> tuple[Analogy, ...]:
    """The questions of a file, in its order.

    Those of a section whose name begins with "gram" ask for a form of a word, and all in a file called morphological.
    """
    section, is_syntactic = "", False
    found = []
    for number, line in eval_lines(path):
        words = line.split()
        if line.startswith(":"):
            section = line[1:].strip()
            is_syntactic = section.startswith("gram") or path.stem.lower().startswith("morphological")
        elif len(words) != 4:
            raise Mistake(f"{path}, line {number}: expected four words, found {line[:80]!r}; {ADVICE}")
        elif not section:
            raise Mistake(f"{path}, line {number}: expected ': SECTION' before the first question; {ADVICE}")
        else:
            found.append(Analogy(section, is_syntactic, (words[0], words[1], words[2], words[3])))
    if not found:
        raise Mistake(f"{path} holds no question; expected lines of four words")
    return tuple(found)
