"""Korean word pieces appended to the teacher's vocabulary; English is split as before."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, normalizers
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.trainers import WordPieceTrainer

_HANGUL_RUN = re.compile(r"[가-힣]+")
_MIN_COUNT = 3


def common_syllables() -> list[str]:
    """The 2,350 syllables of KS X 1001, which cover written Korean but for rare names."""
    rows = range(0xB0, 0xC9)
    return [bytes([lead, trail]).decode("euc-kr") for lead in rows for trail in range(0xA1, 0xFF)]


def korean_words(texts: Iterable[str]) -> Counter[str]:
    """How often each run of Hangul occurs."""
    return Counter(word for text in texts for word in _HANGUL_RUN.findall(text))


def learn_pieces(words: Counter[str], size: int) -> list[str]:
    """About `size` word pieces of these words, continuations marked with ##, each common syllable in both forms."""
    trained = Tokenizer(WordPiece(unk_token="[UNK]"))
    trained.pre_tokenizer = Whitespace()
    alphabet = common_syllables()
    trainer = WordPieceTrainer(
        vocab_size=size,
        min_frequency=_MIN_COUNT,
        initial_alphabet=alphabet,
        limit_alphabet=4000,
        special_tokens=["[UNK]"],
    )
    trained.train_from_iterator(
        (word for word, n in words.items() for _ in range(n)), trainer, length=sum(words.values())
    )
    pieces = [piece for piece in trained.get_vocab() if _HANGUL_RUN.search(piece)]
    both = {*pieces, *alphabet, *(f"##{syllable}" for syllable in alphabet)}
    return sorted(both)


def extend_tokenizer(teacher_file: Path, pieces: Iterable[str]) -> Tokenizer:
    """The teacher's tokenizer with `pieces` after its own, and Hangul kept in syllables.

    The teacher's normaliser decomposes Hangul into letters; recomposing after it has dropped accents leaves English as
    it was.
    """
    state = json.loads(teacher_file.read_text("utf-8"))
    vocabulary: dict[str, int] = state["model"]["vocab"]
    for piece in pieces:
        vocabulary.setdefault(piece, len(vocabulary))
    state["truncation"] = state["padding"] = None
    tokenizer = Tokenizer.from_str(json.dumps(state, ensure_ascii=False))
    tokenizer.normalizer = normalizers.Sequence([tokenizer.normalizer, normalizers.NFC()])
    return tokenizer
