"""A synthetic index of any size, written through the catalogue's own tables: no file is read and no text embedded.

Words follow the Zipf-Mandelbrot law, as those of real text do; the most frequent English ones are its real function
words. Two notes in three are English, one is Korean (stems with endings). A passage takes a part of its words from its
note's topic, and its vector lies near that topic's centre. Each note has a title of three words of its topic, embedded
as well, and links to another note by two of them. The same seed makes the same index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.records import Chunk, FileStat, Link, Note
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.note_rows import make_rows
from obsidian_indexer.store.notes import IndexedNote
from obsidian_indexer.vault.names import names_of

_SEED, _COMMIT_CHUNKS = 7, 8192
_VOCABULARY, _TOPICS, _TOPIC_WORDS, _TOPIC_SHARE = 60_000, 300, 400, 0.3
_CHUNKS_PER_NOTE, _MOST_CHUNKS, _ENGLISH_WORDS, _KOREAN_WORDS = 4, 60, 75, 45
_FUNCTION_WORDS = """
    the of and to a in is it that for you on with as are this be or by at from have not an can was but your if they will
    which one all has when there their more how what use do each about up out them then she many some so these would
    other into her like him time two no could make than first been its who now my over did down only way find may after
    where most through back
    """.split()  # noqa: SIM905 - eighty quoted words are harder to read
_ENDINGS = """
    은 는 이 가 을 를 의 에 에서 로 으로 와 과 도 만 까지 부터 하다 한다 했다 하는 하고 이다 입니다
    """.split()  # noqa: SIM905
_ONSETS, _VOWELS, _CODAS = [*"bcdfghlmnprstv", "br", "ch", "pl", "st", "tr"], "aeiou", ["", "", "n", "r", "s", "t"]


@dataclass(frozen=True, slots=True)
class Words:
    """A vocabulary, and how often each word is drawn: cumulative[i] is the share of words up to i."""

    words: list[str]
    cumulative: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Numbers of words drawn by frequency."""
        return np.searchsorted(self.cumulative, rng.random(count)).astype(np.int64)


class Corpus:
    """Makes passages and queries in two languages."""

    def __init__(self, dim: int) -> None:
        self._rng = np.random.default_rng(_SEED)
        self._link_rng = np.random.default_rng((_SEED, 1))
        self._languages = (_english(self._rng), _korean(self._rng))
        self._topic_words = self._rng.integers(100, _VOCABULARY, (_TOPICS, _TOPIC_WORDS))
        common = self._rng.standard_normal(dim)
        self._centres = (0.5 * common + self._rng.standard_normal((_TOPICS, dim))).astype(np.float32)

    def notes(self, n_chunks: int) -> Iterator[tuple[IndexedNote, NDArray[np.float32]]]:
        """Notes with `n_chunks` passages in all, each with its vectors (float32[n, dim], unit length).

        A tenth is tagged `work`, one in a thousand `project/rare`; they lie in twenty folders.
        """
        number = made = 0
        while made < n_chunks:
            n = min(int(self._rng.geometric(1 / _CHUNKS_PER_NOTE)), _MOST_CHUNKS, n_chunks - made)
            topic = int(self._rng.integers(_TOPICS))
            yield self._note(number, n, topic), self._vectors(n, topic)
            number, made = number + 1, made + n

    def queries(self, count: int) -> list[str]:
        """Runs of 2 to 10 words as the notes draw them, every third Korean."""
        rng = np.random.default_rng(_SEED + 1)
        found = []
        for number in range(count):
            topic, korean = int(rng.integers(_TOPICS)), number % 3 == 2
            found.append(self._text(rng, int(rng.integers(2, 6 if korean else 11)), topic, korean=korean))
        return found

    def _text(self, rng: np.random.Generator, n_words: int, topic: int, *, korean: bool) -> str:
        language = self._languages[korean]
        drawn = language.draw(rng, n_words)
        own = rng.random(n_words) < _TOPIC_SHARE
        drawn[own] = self._topic_words[topic][(rng.random(int(own.sum())) ** 3 * _TOPIC_WORDS).astype(np.int64)]
        if not korean:
            return " ".join(language.words[i] for i in drawn)
        ends = rng.integers(0, len(_ENDINGS), n_words)
        return " ".join(language.words[i] + _ENDINGS[end] for i, end in zip(drawn, ends, strict=True))

    def _note(self, number: int, n_chunks: int, topic: int) -> IndexedNote:
        korean = number % 3 == 2
        path, title = f"area{number % 20}/note{number}.md", self._text(self._rng, 3, topic, korean=korean)
        chunks = []
        for seq in range(n_chunks):
            length = int(self._rng.integers(20, 2 * (_KOREAN_WORDS if korean else _ENGLISH_WORDS) - 20))
            text = self._text(self._rng, length, topic, korean=korean)
            key = hashlib.sha256(f"{number} {seq} {text}".encode()).hexdigest()
            chunks.append(Chunk(path, seq, (title,), seq + 1, seq + 1, text, text, length, key))
        tags = ("work",) * (number % 10 == 0) + ("project/rare",) * (number % 1000 == 1)
        note = Note(path, hashlib.sha256(path.encode()).hexdigest(), title, tags=tags, links=self._links(number, topic))
        names = names_of(note, lambda texts: [len(text.split()) for text in texts], 2)
        return IndexedNote(FileStat(path, 1, 1), 2, "synthetic", make_rows(note, tuple(chunks), names=names))

    def _links(self, number: int, topic: int) -> tuple[Link, ...]:
        target = f"note{int(self._link_rng.integers(0, number + 1))}"
        text = self._text(self._link_rng, 2, topic, korean=number % 3 == 2)
        return (Link(target, None, None, text, embed=False, line=1),)

    def _vectors(self, n: int, topic: int) -> NDArray[np.float32]:
        noise = self._rng.standard_normal((n, self._centres.shape[1]), np.float32)
        vectors = self._centres[topic] + np.float32(0.7) * noise
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write_index(vault: Path, data_dir: Path, spec: ModelSpec, dtype: str, dim: int, n_chunks: int) -> None:
    """An empty vault and its index of `n_chunks` passages, as if embedded by this model in this number format."""
    (vault / ".obsidian").mkdir(parents=True)
    with Catalog.open(data_dir) as catalog:
        catalog.bind_vault(vault)
        with catalog.transaction():
            model = catalog.vectors.add_model(
                spec.fingerprint(dtype), spec.name, dim, spec.identity, dtype, source=spec.source
            )
            catalog.vectors.activate(model)
        for notes in _batches(Corpus(dim).notes(n_chunks)):
            with catalog.transaction():
                for item, _ in notes:
                    catalog.notes.replace(item)
                keys = [row[-1] for item, _ in notes for row in item.rows.chunks]
                catalog.vectors.add(model.id, keys, np.concatenate([vectors for _, vectors in notes]))
                # A title stands where the first passage of its note does.
                titles = [(row[3], vectors[0]) for item, vectors in notes for row in item.rows.names if row[3]]
                catalog.name_vectors.add(model.id, [key for key, _ in titles], np.array([first for _, first in titles]))


def _batches(
    notes: Iterator[tuple[IndexedNote, NDArray[np.float32]]],
) -> Iterator[list[tuple[IndexedNote, NDArray[np.float32]]]]:
    batch, held = [], 0
    for item, vectors in notes:
        batch.append((item, vectors))
        held += len(vectors)
        if held >= _COMMIT_CHUNKS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _frequencies(count: int) -> NDArray[np.float64]:
    """Cumulative shares by the Zipf-Mandelbrot law, f(r) = 1 / (r + 2.7)^1.05 (Mandelbrot 1953)."""
    shares = 1 / (np.arange(count) + 2.7) ** 1.05
    cumulative: NDArray[np.float64] = np.cumsum(shares / shares.sum())
    cumulative[-1] = 1.0
    return cumulative


def _english(rng: np.random.Generator) -> Words:
    syllables = [onset + vowel for onset in _ONSETS for vowel in _VOWELS]
    seen = dict.fromkeys(_FUNCTION_WORDS)
    while len(seen) < _VOCABULARY:
        length = 1 + int(3 * rng.random()) + (len(seen) > 2000)
        picked = (rng.random(length) * len(syllables)).astype(np.int64)
        seen["".join(syllables[i] for i in picked) + _CODAS[int(rng.random() * len(_CODAS))]] = None
    return Words(list(seen), _frequencies(_VOCABULARY))


def _korean(rng: np.random.Generator) -> Words:
    # The 800 most usual syllables stand for the 11,172 possible ones.
    usual = rng.choice(np.arange(0xAC00, 0xD7A4), 800, replace=False)
    seen: dict[str, None] = {}
    while len(seen) < _VOCABULARY:
        # Syllables are as uneven as words are.
        picked = usual[(rng.random(2 + int(2 * rng.random())) ** 2 * len(usual)).astype(np.int64)]
        seen["".join(map(chr, picked))] = None
    return Words(list(seen), _frequencies(_VOCABULARY))
