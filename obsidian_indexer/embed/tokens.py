"""Text to token ids, with the model's own tokenizer and without torch.

The same object measures chunks and feeds the engine, so what was measured is what the model reads.
"""

from __future__ import annotations

import json
import re
import threading
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from obsidian_indexer.embed.card import scripts_of, share_read
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.word_counts import word_counts
from obsidian_indexer.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TokenIds = Sequence[int]


class TextTokenizer(Protocol):
    """Cuts text into the tokens of one model."""

    n_special: int
    """Tokens added around every text."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones not counted."""

    def encode(self, texts: Sequence[str], prompt: str = "") -> list[TokenIds]:
        """Token ids of each text with prompt and special tokens, cut at the model's window."""

    def coverage(self, text: str) -> float:
        """Share of the letters outside ASCII that the model can read, 1.0 without any.

        Those of the languages on its card; where that says nothing, those that lie in longer pieces, because a model
        that never saw a script reads it letter by letter or as unknown.
        """

    def knows(self, word: str) -> bool:
        """Whether a word is one token, so that the model has learnt what it means."""


_FILES = ("tokenizer.json", "0_StaticEmbedding/tokenizer.json")
_opening = threading.Lock()


def load_tokenizer(spec: ModelSpec) -> TextTokenizer:
    """The tokenizer of a model, for any thread. Raises ModelError when it has none that can be used.

    Opening one takes long, with the interpreter lock in hand: the same files are opened once.
    """
    if spec.folder is None:
        return FakeTokenizer(spec.max_tokens)
    file = next((file for name in _FILES if (file := spec.folder / name).exists()), None)
    found = file.stat() if file is not None else None
    state = (found.st_mtime_ns, found.st_size) if found is not None else None
    with _opening:
        return _opened(spec.folder, file, state, spec.max_tokens, scripts_of(spec.folder))


# A model that embeds, and one that puts results in order.
@lru_cache(maxsize=2)
def _opened(
    folder: Path, file: Path | None, state: tuple[int, int] | None, max_tokens: int, scripts: frozenset[str] | None
) -> FastTokenizer:
    return FastTokenizer(_open(folder, file), max_tokens, scripts)


def _open(folder: Path, file: Path | None) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        if file is not None:
            return Tokenizer.from_file(str(file))
        from transformers import AutoTokenizer

        slow = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        tokenizer: Tokenizer = slow.backend_tokenizer
        return tokenizer
    except Exception as error:  # the Rust library raises plain Exception
        raise ModelError(f"The model in {folder} has no tokenizer that can be used ({error}).") from error


class FastTokenizer:
    """A Rust tokenizer; it releases the interpreter lock and uses every core on a batch.

    `scripts` are those that the model was made for, None when that is not known.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, scripts: frozenset[str] | None = None) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self.n_special = int(tokenizer.num_special_tokens_to_add(is_pair=False))
        self._by_word = word_counts(_described(tokenizer), self._count_whole)
        self._scripts = scripts
        self._unknown = {token for token in ("[UNK]", "<unk>", "<|unk|>") if tokenizer.token_to_id(token) is not None}

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones not counted."""
        return self._count_whole(texts) if self._by_word is None else self._by_word.count(texts)

    def _count_whole(self, texts: Sequence[str]) -> list[int]:
        return [len(e) for e in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode(self, texts: Sequence[str], prompt: str = "") -> list[TokenIds]:
        """Token ids of each text with prompt and special tokens, cut at the model's window."""
        whole = [prompt + text for text in texts]
        encoded = self._tokenizer.encode_batch_fast(whole)
        return [e.ids if len(e) <= self._max_tokens else self._cut(t) for e, t in zip(encoded, whole, strict=True)]

    def _cut(self, text: str) -> TokenIds:
        """The ids of a text longer than the window: its first tokens, with all special ones around them."""
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        encoded.truncate(max(0, self._max_tokens - self.n_special))
        ids: TokenIds = self._tokenizer.post_process(encoded).ids
        return ids

    def coverage(self, text: str) -> float:
        """Share of the letters outside ASCII of the model's languages, or in pieces of two characters or more."""
        if self._scripts is not None:
            return share_read(text, self._scripts)
        letters = {i for i, char in enumerate(text) if not char.isascii() and char.isalpha()}
        if not letters:
            return 1.0
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        known: set[int] = set()
        for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
            if end - start >= 2 and token not in self._unknown:
                known.update(range(start, end))
        return len(letters & known) / len(letters)

    def knows(self, word: str) -> bool:
        """Whether a word is one token, and not the unknown one."""
        tokens = self._tokenizer.encode(word, add_special_tokens=False).tokens
        return len(tokens) == 1 and tokens[0] not in self._unknown


def _described(tokenizer: Tokenizer) -> dict[str, Any]:
    """What decides how it cuts, as in its JSON, which holds the whole vocabulary besides."""

    def state(part: Any) -> Any:
        return None if part is None else json.loads(part.__getstate__())

    return {
        "normalizer": state(tokenizer.normalizer),
        "pre_tokenizer": state(tokenizer.pre_tokenizer),
        "model": {"type": type(tokenizer.model).__name__},
        "added_tokens": [{"content": token.content} for token in tokenizer.get_added_tokens_decoder().values()],
    }


_WORD = re.compile(r"\w+|[^\w\s]")


class FakeTokenizer:
    """Words as tokens, for the fake model: deterministic and free of files."""

    n_special = 2

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens

    def count(self, texts: Sequence[str]) -> list[int]:
        """Words and marks of each text."""
        return [len(_WORD.findall(text)) for text in texts]

    def encode(self, texts: Sequence[str], prompt: str = "") -> list[TokenIds]:
        """A stable number for each word, between two zeros."""
        return [
            [0, *(zlib.crc32(word.encode()) for word in _WORD.findall((prompt + text).lower())), 0][: self._max_tokens]
            for text in texts
        ]

    def coverage(self, text: str) -> float:
        """The fake model knows every script."""
        return 1.0

    def knows(self, word: str) -> bool:
        """The fake model has learnt no word."""
        return False
