"""A trained tokenizer: text <-> ids, on the `tokenizers` library, whatever kind it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path

import numpy as np
from jaxtyping import UInt
from tokenizers import AddedToken, Tokenizer

from lmlab.tokenizer.chunks import BLANK, CUT, chunks
from lmlab.tokenizer.word_reader import WordReader
from lmlab.types import EOS, MASK, UNK, Mistake

TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
"""As Hugging Face calls them."""

MASKS = (MASK, "[MASK]")
"""What stands for a hidden token in lmlab and RoBERTa, and in BERT."""


class Trained:
    """What `train` of each kind returns and what a run keeps as `tokenizer.json`.

    Args:
        end: What ends a document in a tokenizer from elsewhere; kept in `tokenizer_config.json` beside, as Hugging Face has
            it. None: one that lmlab trained.
        reader: How words are found where the library has no way to say so; kept in `words.json` beside. None: the
            library finds them.
    """

    def __init__(self, *, tokenizer: Tokenizer, end: str | None = None, reader: WordReader | None = None) -> None:
        # Else "<eos>" written in a text would end the document. The library does not save this switch.
        tokenizer.encode_special_tokens = True
        self._tokenizer, self._end, self._reader = tokenizer, end, reader
        self._cut = CUT if end is None else BLANK
        self.vocab_size: int = tokenizer.get_vocab_size()
        eos = tokenizer.token_to_id(end or EOS)
        if eos is None:
            raise Mistake(f"this {TOKENIZER} has no {end or EOS}, which ends every document; train one: tokenizer=bpe")
        self.eos: int = eos
        self.unk: int | None = tokenizer.token_to_id(UNK)
        self._index = {**tokenizer.get_vocab(), "\n": eos} if reader else {}

    def __reduce__(self) -> tuple[object, ...]:
        return _from_json, (self._tokenizer.to_str(), self._end, self._reader)

    def encode(self, text: str) -> list[int]:
        """Ids of the text, without `<eos>` at its end."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, encoded in parallel."""
        return [[index for part in parts for index in part] for parts in self._encode_texts(texts)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text; what ends a document leaves no trace, or a newline where lines end in `<eos>`."""
        return str(self._tokenizer.decode([int(index) for index in ids], skip_special_tokens=True))

    def token(self, index: int) -> str:
        """The token as the vocabulary spells it."""
        return str(self._tokenizer.id_to_token(index))

    @property
    def special(self) -> frozenset[int]:
        """Ids that stand for no text: `<eos>`, `<unk>`, and others that the tokenizer says to be such."""
        added = self._tokenizer.get_added_tokens_decoder()
        known = {index for index, token in added.items() if token.special} | {self.eos, self.unk}
        return frozenset(index for index in known if index is not None)

    @property
    def mask(self) -> int | None:
        """What stands for a hidden token, where there is one."""
        return next((index for index in sorted(self.special) if self.token(index) in MASKS), None)

    def with_special(self, tokens: Sequence[str]) -> Trained:
        """The same with more tokens at the end, to which no text is encoded."""
        content = Tokenizer.from_str(self._tokenizer.to_str())
        content.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
        return Trained(tokenizer=content, end=self._end, reader=self._reader)

    def to_json(self) -> str:
        """As Hugging Face's library has it."""
        return str(self._tokenizer.to_str())

    def save(self, path: str) -> None:
        self._tokenizer.save(str(path))
        if self._end is not None:
            beside = Path(path).with_name(TOKENIZER_CONFIG)
            beside.write_text(json.dumps({"eos_token": self._end}), encoding="utf-8")
        if self._reader is not None:
            self._reader.save(Path(path))

    def files(self) -> dict[str, str]:
        """What Hugging Face's AutoTokenizer reads, by the files' names."""
        if self._reader is not None:
            raise Mistake(
                "a tokenizer with tokenizer.lowercase, pattern, chinese or phrases cannot be written for Hugging Face, "
                f"whose {TOKENIZER} has no way to say these; train with tokenizer=bpe, or with tokenizer=word as it is"
            )
        about = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": self._end or EOS,
            "clean_up_tokenization_spaces": False,
            **({} if self.mask is None else {"mask_token": self.token(self.mask)}),
        }
        return {TOKENIZER: self._tokenizer.to_str(pretty=True), TOKENIZER_CONFIG: json.dumps(about, indent=2) + "\n"}

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest type that holds every id."""
        return np.dtype(np.uint16 if self.vocab_size <= 2**16 else np.uint32)

    def to_array(self, texts: Iterable[str]) -> UInt[np.ndarray, "time"]:
        """Ids of all documents, one after another, each ended by one `<eos>`, its last newline's where that is one."""
        parts: list[np.ndarray] = []
        end = np.array([self.eos], dtype=self.dtype)
        for document in self._encode_texts(list(texts)):
            parts += [np.array(ids, dtype=self.dtype) for ids in document]
            if not document or document[-1][-1:] != [self.eos]:
                parts.append(end)
        return np.concatenate(parts) if parts else end[:0]

    def _encode_texts(self, texts: Sequence[str]) -> Iterable[list[list[int]]]:
        """Ids of the chunks of each text; all chunks of all texts go through the library in one call."""
        if self._reader is not None:
            return ([*map(self._encode_words, self._reader.words(text))] for text in texts)
        cuts = [list(self._chunks(text)) for text in texts]
        ids = iter(self._encode_parts([part for parts in cuts for part in parts]))
        return ([next(ids) for _ in parts] for parts in cuts)

    def _encode_words(self, words: list[str]) -> list[int]:
        assert self.unk is not None, "a vocabulary of words has one for all others"
        return list(map(self._index.get, words, repeat(self.unk)))

    def _chunks(self, text: str) -> Iterator[str]:
        return chunks(text, at=self._cut)

    def _encode_parts(self, parts: list[str]) -> list[list[int]]:
        return [part.ids for part in self._tokenizer.encode_batch_fast(parts, add_special_tokens=False)]


def load(path: str | Path) -> Trained:
    """The tokenizer that `save` wrote, or any `tokenizer.json` with an `<eos>`."""
    beside = Path(path).with_name(TOKENIZER_CONFIG)
    end = json.loads(beside.read_text(encoding="utf-8"))["eos_token"] if beside.exists() else None
    return Trained(tokenizer=Tokenizer.from_file(str(path)), end=end, reader=WordReader.beside(Path(path)))


def _from_json(content: str, end: str | None, reader: WordReader | None) -> Trained:
    return Trained(tokenizer=Tokenizer.from_str(content), end=end, reader=reader)
