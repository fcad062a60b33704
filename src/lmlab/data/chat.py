"""Anyone's conversations, each a line of JSON, in the form in which chat models are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from lmlab.data.chat_file import ChatFile
from lmlab.data.example_files import ExampleFiles
from lmlab.data.find import find_splits
from lmlab.data.template import check_template
from lmlab.examples import Conversation
from lmlab.types import Mistake, Split

SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
"""What counts as conversations in a folder; a file that is named itself may be called anything."""


class Chat:
    """Every line of a file, a folder or a pattern is a conversation; splits without files are cut from train."""

    example = Conversation

    def __init__(
        self,
        *,
        path: str | None,
        val_path: str | None,
        test_path: str | None,
        messages: str,
        role: str,
        content: str,
        role_names: Mapping[str, str] | None,
        template: Mapping[str, str],
        split: Mapping[str, int | float],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        if path in (None, "", "???"):
            raise Mistake("this data needs data.path: a file of conversations, such as data.path=chats.jsonl")
        check_template(template)
        self.roles = tuple(template)
        """Those that a turn may have."""
        strange = [meant for meant in (role_names or {}).values() if meant not in template]
        if strange:
            raise Mistake(f"data.role_names has {strange[0]}, which is none of {', '.join(template)}; correct it")
        file = ChatFile(
            path=Path(),
            messages=messages,
            role=role,
            content=content,
            role_names=role_names or {},
            template=template,
            encoding=encoding,
        )
        files = find_splits(str(path), val_path, test_path, SUFFIXES)
        self._files: ExampleFiles[Conversation] = ExampleFiles(
            {part: [replace(file, path=one) for one in own] for part, own in files.items()},
            split=split,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._files.fingerprint()

    def read(self, split: Split) -> Iterator[Conversation]:
        return self._files.read(split)
