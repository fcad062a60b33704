"""make docs: rewrites what the documentation takes from elsewhere, between its markers.

python scripts/docs.py             tables of options from the YAML files, files shown in full
python scripts/docs.py --check     writes nothing; fails where something is out of date
python scripts/docs.py demo FILE   besides, the output of `make demo`, which FILE holds
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from lmlab import tree
from lmlab.command.options import facts

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".txt": "text", "": "make"}


def main(arguments: list[str]) -> int:
    output = Path(arguments[1]).read_text(encoding="utf-8") if arguments[:1] == ["demo"] else None
    stale = [name for name in PAGES if (ROOT / name).read_text(encoding="utf-8") != page(name, output)]
    for name in stale:
        if "--check" in arguments:
            print(f"{name} is out of date: make docs")
        else:
            (ROOT / name).write_text(page(name, output), encoding="utf-8")
            print(f"wrote {name}")
    return int("--check" in arguments and bool(stale))


def page(name: str, demo: str | None = None) -> str:
    """A page of the documentation as it should be."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = between(text, "options", lambda _: options())
    text = re.sub(r"(<!-- file:begin (\S+) -->\n).*?(<!-- file:end -->)", included, text, flags=re.DOTALL)
    return text if demo is None else between(text, "demo", lambda _: fenced(terminal(demo)))


def between(text: str, marker: str, content: Callable[[re.Match[str]], str]) -> str:
    """The text with what stands between two markers made anew."""
    pattern = rf"(?<=<!-- {marker}:begin -->\n).*?(?=<!-- {marker}:end -->)"
    return re.sub(pattern, content, text, flags=re.DOTALL)


def included(match: re.Match[str]) -> str:
    """A file of the repository, as it is."""
    path = ROOT / match[2]
    return f"{match[1]}{fenced(path.read_text(encoding='utf-8'), LANGUAGES[path.suffix])}{match[3]}"


def fenced(text: str, language: str = "text") -> str:
    fence = "````" if "```" in text else "```"  # a model may write three backticks
    return f"{fence}{language}\n{text.strip()}\n{fence}\n"


@cache
def options() -> str:
    """A table for every group of this repository, whatever folders of configuration the reader has."""
    os.environ.pop("LMLAB_CONF", None)
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        return "\n".join(table(group, found) for group, found in tree.groups().items())
    finally:
        os.chdir(before)


def table(group: str, found: dict[str, Path]) -> str:
    """Option, what it is, of a model and its parts what it can do, and its keys with their defaults."""
    is_part = tree.is_model(group)
    known, counted = facts(group) if is_part else ({}, "")
    lines = [f"**`{group}=`** {counted}".rstrip(), ""]
    lines += head(["option", "what it is", *(["paper", "roles", "parameters"] if is_part else []), "its own keys"])
    for option, path in found.items():
        keys = "" if group == "paper" else ", ".join(f"`{key}`" for key in own_keys(path))
        cells = [f"[`{option}`]({path.relative_to(ROOT).as_posix()})"]
        if is_part:
            size = known[option].parameters
            cells += [cell(tree.without_paper(path)), cell(tree.paper(path)), ", ".join(known[option].roles)]
            cells += ["" if size is None else f"{size:,}"]
        else:
            cells += [cell(tree.describe(path))]
        lines.append(f"| {' | '.join([*cells, keys])} |")
    return "\n".join(lines) + "\n"


def head(columns: list[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def own_keys(path: Path) -> Iterator[str]:
    """`key: default` of the keys that stand in the file itself; a long default is left out."""
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.match(r"([a-z]\w*):(?: ([^#]*[^# ]))?(?: *#.*)?$", line)
        if match and match[1] not in ("defaults", "task", "logger"):
            default = match[2] or ""
            yield match[1] if not default or len(default) > 24 else f"{match[1]}: {default}"


def cell(text: str) -> str:
    return text.strip().replace("|", "\\|").replace("<", "&lt;")


def terminal(output: str) -> str:
    """What a terminal shows at the end: of a line that was written over, the last version; no colours, no folder names."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).replace("\r\n", "\n")
    shown = (line.rstrip("\r").split("\r")[-1].rstrip() for line in plain.split("\n"))
    return "\n".join(shown).replace(f"{ROOT}/", "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
