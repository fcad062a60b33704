"""A published corpus of dialogues in the files in which people download it, below `data.root` or `LMLAB_DATA`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from lmlab.data.example_files import ExampleFiles
from lmlab.data.published import Names, Published
from lmlab.data.template import ASSISTANT, USER, check_template
from lmlab.data.utterance_file import UtteranceFile
from lmlab.examples import Conversation
from lmlab.types import Mistake, Split


class UtteranceFiles:
    """Files per split; a split without is cut from train."""

    example = Conversation
    roles = (USER, ASSISTANT)
    """Those that a turn has."""

    def __init__(
        self,
        *,
        published: Published,
        root: str | None,
        files: Mapping[str, Names | None],
        stand_ins: Mapping[str, Names | None],
        separator: str,
        template: Mapping[str, str],
        split: Mapping[str, int | float],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        check_template(template)
        if not separator.strip():
            raise Mistake(
                "data.separator is blank, and every word would be an utterance; set it to a mark like __eou__"
            )
        found = published.find(root, files, stand_ins)
        self._files: ExampleFiles[Conversation] = ExampleFiles(
            {
                cast(Split, part): [
                    UtteranceFile(path=path, separator=separator, template=template, encoding=encoding)
                    for path in paths
                ]
                for part, paths in found.items()
            },
            split=split,
            on_error=on_error,
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._files.fingerprint()

    def read(self, split: Split) -> Iterator[Conversation]:
        return self._files.read(split)
