"""Questions about texts in the files of SQuAD and of what was made like it, below `data.root` or `LMLAB_DATA`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from lmlab.data.example_files import ExampleFiles
from lmlab.data.published import Names, Published
from lmlab.data.question_file import QuestionFile
from lmlab.examples import Question
from lmlab.types import Split


class SquadFiles:
    """Files per split; a split without is cut from train by article, so that no context stands in two."""

    example = Question

    def __init__(
        self,
        *,
        published: Published,
        root: str | None,
        files: Mapping[str, Names | None],
        stand_ins: Mapping[str, Names | None],
        split: Mapping[str, int | float],
        encoding: str,
        on_error: str,
        cache_dir: str | None,
    ) -> None:
        found = published.find(root, files, stand_ins)
        self._files: ExampleFiles[Question] = ExampleFiles(
            {
                cast(Split, part): [QuestionFile(path, encoding, on_error == "repair") for path in paths]
                for part, paths in found.items()
            },
            split=split,
            on_error=on_error,
            ways=("strict", "skip", "repair"),
            cache_dir=cache_dir,
        )

    def fingerprint(self) -> str:
        return self._files.fingerprint()

    def read(self, split: Split) -> Iterator[Question]:
        return self._files.read(split)
