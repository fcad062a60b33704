"""A tokenizer from elsewhere: the tokenizer.json of a folder in Hugging Face's format, as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from lmlab.tokenizer.trained import TOKENIZER, TOKENIZER_CONFIG, Trained
from lmlab.tokenizer.word_reader import WORDS, WordReader
from lmlab.types import EOS, Mistake

CONFIG = "config.json"
"""Of the model, where there is one beside; it says how many tokens that has."""


class Pretrained:
    """Nothing is learned; a vocabulary smaller than the folder's model has tokens added that no text holds."""

    def __init__(self, *, path: str, end: str | None) -> None:
        self.path, self.end = path, end
        if not self._file.is_file():
            raise Mistake(
                f"tokenizer.path={path} has no {TOKENIZER}; name a folder that has it (transformers' "
                "AutoTokenizer.from_pretrained(...).save_pretrained writes one)"
            )
        read = (
            self._file,
            self._file.with_name(TOKENIZER_CONFIG),
            self._file.with_name(CONFIG),
            self._file.with_name(WORDS),
        )
        self.content = [hashlib.sha256(file.read_bytes()).hexdigest() for file in read if file.is_file()]

    @property
    def _file(self) -> Path:
        named = Path(self.path).expanduser()
        return named / TOKENIZER if named.is_dir() else named

    def train(self, texts: Iterable[str]) -> Trained:
        try:
            tokenizer = Tokenizer.from_file(str(self._file))
        except Exception as error:  # the library raises nothing narrower
            raise Mistake(f"tokenizer.path={self.path}: {self._file.name} cannot be read ({error})") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        size = self._beside(CONFIG).get("vocab_size") or 0
        unused = range(tokenizer.get_vocab_size(), size)
        tokenizer.add_special_tokens([AddedToken(f"<unused {index}>", special=True) for index in unused])
        end = self.end or self._end_of_document()
        if tokenizer.token_to_id(end) is None:
            raise Mistake(f"tokenizer.end={end} is no token of {self._file}; set tokenizer.end to what ends a document")
        return Trained(tokenizer=tokenizer, end=end, reader=WordReader.beside(self._file))

    def _end_of_document(self) -> str:
        """What tokenizer_config.json says; in BERT, which has no end of a text, what stands between two."""
        about = self._beside(TOKENIZER_CONFIG)
        for key in ("eos_token", "sep_token"):
            token = about.get(key)
            if token is not None:
                return str(token["content"] if isinstance(token, dict) else token)
        return EOS

    def _beside(self, name: str) -> dict[str, Any]:
        path = self._file.with_name(name)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return found
