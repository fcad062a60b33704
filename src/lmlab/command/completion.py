"""lmlab completion bash|zsh: what to put into the shell's start file, and the answers to its questions."""

import sys
from collections.abc import Iterator
from pathlib import Path

from lmlab.types import Mistake

SCRIPT = """_lmlab() {
  local IFS=$'\\n'
  COMPREPLY=($(lmlab completion query "${COMP_LINE:0:$COMP_POINT}" 2>/dev/null))
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
complete -o default -F _lmlab lmlab
"""

RUN_VERBS = ("resume", "rerun", "evaluate", "generate", "predict", "neighbors", "diff", "report", "export", "rm")


def main(arguments: list[str]) -> int:
    """The command line of `lmlab completion`."""
    if arguments[:1] == ["query"]:
        sys.stdout.write("\n".join(answers(arguments[1] if len(arguments) > 1 else "")) + "\n")
        return 0
    if arguments[:1] in (["bash"], ["zsh"]):
        before = "autoload -U +X bashcompinit && bashcompinit\n" if arguments[0] == "zsh" else ""
        sys.stdout.write(before + SCRIPT)
        return 0
    raise Mistake('lmlab completion takes bash or zsh: eval "$(lmlab completion bash)"')


def answers(line: str) -> list[str]:
    """What the word under the cursor may become."""
    words = line.split(" ")
    word = words[-1]
    return sorted({answer for answer in candidates(words[1:-1], word) if answer.startswith(word)})


def candidates(before: list[str], word: str) -> Iterator[str]:
    """Verbs, then runs, groups with their options, and keys."""
    from lmlab.cli import VERBS

    if not before:
        yield from VERBS
        return
    verb = before[0]
    if verb in RUN_VERBS and "=" not in word:
        yield from runs()
    from lmlab.tree import keys, options

    group, sign, _ = word.partition("=")
    if verb in ("train", "check", "prepare", "reproduce", "list"):
        known = options()
        if sign and group in known:
            yield from (f"{group}={option}" for option in known[group])
        elif verb == "list":
            yield from known
        elif verb == "reproduce" and len(before) == 1:
            yield from known.get("paper", [])
        else:
            yield from (f"{name}=" for name in known)
            yield from (f"{key}=" for key in keys("train", before[1:]))
    elif verb in ("generate", "predict", "neighbors", "evaluate", "export"):
        yield from (f"{key}=" for key in keys(verb, []))


def runs() -> Iterator[str]:
    """Ids of the runs below LMLAB_RUNS, and latest."""
    import os

    from lmlab.run import store

    yield "latest"
    yield from (run.id for run in store.runs(Path(os.environ.get("LMLAB_RUNS", "runs"))))
