"""One query answered: filters, legs, fusion, and the hits that a reader sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.tokens import TextTokenizer
from obsidian_indexer.errors import IndexerError, NoteError
from obsidian_indexer.options import SearchOptions
from obsidian_indexer.records import Hit, SearchResult
from obsidian_indexer.search.filters import matching_notes
from obsidian_indexer.search.legs import Leg, LiveVectors, keyword_leg, semantic_leg
from obsidian_indexer.search.query import Query, parse_query, plain_query
from obsidian_indexer.search.snippet import snippet
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.rows import clean_text, marks, pages, path_from_row, path_to_row, strings_from_json
from obsidian_indexer.store.vectors import StoredModel

# Below this share of known letters the model reads a query letter by letter, and its vector says next to nothing.
_COVERED = 0.5
_UNCOVERED_WEIGHT = 0.05
# Enough of a note to tell its script.
_COVERAGE_CHARS = 2000

Nearest = Callable[[NDArray[np.float32], int], list[tuple[bytes, float]]]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the semantic leg works with. `nearest` is the store's search where it pays, else None."""

    model: StoredModel
    live: Callable[[], LiveVectors]
    nearest: Nearest | None


@dataclass(frozen=True, slots=True)
class _Row:
    chunk_id: int
    note_id: int
    path: str
    title: str
    headings: tuple[str, ...]
    start_line: int
    end_line: int
    text: str


class Searcher:
    """Answers queries from one catalogue connection.

    `embedder` gives the active model loaded, `tokenizer` its tokenizer alone; both raise IndexerError when that cannot
    be and are called only when needed. `uri` makes the link that opens a passage.
    """

    def __init__(
        self,
        catalog: Catalog,
        options: SearchOptions,
        *,
        meaning: Meaning | None,
        embedder: Callable[[], Embedder],
        tokenizer: Callable[[], TextTokenizer],
        uri: Callable[[str, Sequence[str]], str],
    ) -> None:
        self._catalog = catalog
        self._options = options
        self._meaning = meaning
        self._embedder = embedder
        self._tokenizer = tokenizer
        self._uri = uri

    def search(self, text: str, *, k: int, mode: str, group: str, explain: bool, plain: bool = False) -> SearchResult:
        """The k best notes (or passages, with group 'chunk') for a query.

        With `plain`, query and mode are taken at their word: no operators, no leg that stands in for another.
        """
        started = time.perf_counter()
        query = (plain_query if plain else parse_query)(clean_text(text))
        note_ids = matching_notes(self._catalog.connection, query.filters)
        keyword, semantic, weight, notice = Leg(), Leg(), 0.0, None
        if query.words:
            if mode != "keyword":
                semantic, weight, notice = self._semantic(query, note_ids)
            if mode == "semantic" and (plain or notice is None):
                weight = 1.0
            if mode != "semantic" or weight < 1.0:
                keyword = keyword_leg(self._catalog, query.words, self._options.candidates, note_ids)
            fused = _fuse(keyword, semantic, weight)
        else:
            fused = self._all_of(note_ids)
        hits = self._hits(query, fused, keyword, semantic, k, group, explain)
        return SearchResult(
            query=text,
            mode=mode,
            took_ms=round((time.perf_counter() - started) * 1000, 2),
            model=self._meaning.model.name if self._meaning else None,
            hits=tuple(hits),
            notice=notice,
        )

    def _semantic(self, query: Query, note_ids: Sequence[int] | None) -> tuple[Leg, float, str | None]:
        """The semantic leg, its weight, and what the reader should know when it is weak or missing."""
        if self._meaning is None:
            return Leg(), 0.0, "Nothing is embedded yet: results are by keyword. Run 'index' to search by meaning."
        try:
            embedder = self._embedder()
            vector = embedder.embed_query(query.words)
        except IndexerError as error:
            return Leg(), 0.0, f"Results are by keyword: {error}"
        covered = embedder.tokenizer.coverage(query.words) >= _COVERED
        leg = semantic_leg(
            self._catalog,
            self._meaning.model,
            vector,
            self._options.candidates,
            note_ids,
            self._meaning.live,
            self._meaning.nearest,
        )
        if covered:
            return leg, self._options.semantic_weight, None
        return leg, _UNCOVERED_WEIGHT, _unknown_script(self._meaning.model.name, "so keywords lead")

    def _all_of(self, note_ids: Sequence[int] | None) -> dict[int, float]:
        """Filters without words: every matching note, the most recently changed first."""
        scores: dict[int, float] = {}
        for page in pages(list(note_ids or ())):
            rows = self._catalog.connection.execute(
                "SELECT c.id, n.mtime_ns FROM chunks c JOIN notes n ON n.id = c.note_id "
                f"WHERE c.seq = 0 AND n.id IN ({marks(page)})",
                page,
            )
            scores.update({chunk_id: float(mtime) for chunk_id, mtime in rows})
        newest = max(scores.values(), default=1.0) or 1.0
        return {chunk_id: value / newest for chunk_id, value in scores.items()}

    def similar(self, path: str, *, k: int) -> SearchResult:
        """Notes like this one, from stored vectors alone. Raises NoteError when the note has none."""
        started = time.perf_counter()
        row = self._catalog.connection.execute("SELECT id FROM notes WHERE path=?", (path_to_row(path),)).fetchone()
        if row is None:
            raise NoteError(f"{path} is not in the index. Give the path from the vault's root, or run 'index' first.")
        if self._meaning is None:
            raise NoteError("Nothing is embedded yet. Run 'index' first.")
        _, own = self._catalog.vectors.of_notes(self._meaning.model, [row[0]])
        if not len(own):
            raise NoteError(f"{path} has no text that was embedded.")
        centre = own.mean(axis=0)
        centre /= float(np.linalg.norm(centre)) or 1.0
        wanted = self._options.candidates + len(own)
        leg = semantic_leg(
            self._catalog, self._meaning.model, centre, wanted, None, self._meaning.live, self._meaning.nearest
        )
        rows = self._rows(list(leg.scores))
        others = Leg.ranked({c: leg.similarities[c] for c, found in rows.items() if found.note_id != row[0]})
        hits = self._hits(Query(path, ""), others.scores, Leg(), others, k, "note", explain=False)
        took = round((time.perf_counter() - started) * 1000, 2)
        name = self._meaning.model.name
        notice = None if self._covers_note(row[0]) else _unknown_script(name, "so likeness says little")
        return SearchResult(path, "similar", took, name, tuple(hits), notice)

    def _covers_note(self, note_id: int) -> bool:
        """Whether the model knows the script that a note is mostly written in; a missing model is no reason to warn."""
        texts = self._catalog.connection.execute(
            "SELECT text FROM chunks WHERE note_id=? ORDER BY seq LIMIT 5", (note_id,)
        ).fetchall()
        sample = " ".join(row[0] for row in texts)[:_COVERAGE_CHARS]
        try:
            foreign = sum(not char.isascii() for char in sample if char.isalpha())
            mostly_foreign = 2 * foreign > sum(char.isalpha() for char in sample)
            return not mostly_foreign or self._tokenizer().coverage(sample) >= _COVERED
        except IndexerError:
            return True

    def _hits(
        self,
        query: Query,
        fused: Mapping[int, float],
        keyword: Leg,
        semantic: Leg,
        k: int,
        group: str,
        explain: bool,
    ) -> list[Hit]:
        rows = self._rows(list(fused))
        order = sorted((c for c in fused if c in rows), key=lambda chunk_id: (-fused[chunk_id], chunk_id))
        hits: list[Hit] = []
        met: set[int] = set()
        for chunk_id in order:
            row = rows[chunk_id]
            if group == "note" and row.note_id in met:
                continue
            met.add(row.note_id)
            explanation = {
                "keyword": round(keyword.scores.get(chunk_id, 0.0), 4),
                "semantic": round(semantic.scores.get(chunk_id, 0.0), 4),
            }
            similarity = semantic.similarities.get(chunk_id)
            hits.append(
                Hit(
                    path=row.path,
                    title=row.title,
                    headings=row.headings,
                    start_line=row.start_line,
                    end_line=row.end_line,
                    snippet=snippet(row.text, query.words, self._options.snippet_chars),
                    score=round(fused[chunk_id], 6),
                    keyword_rank=keyword.ranks.get(chunk_id),
                    semantic_rank=semantic.ranks.get(chunk_id),
                    similarity=None if similarity is None else round(similarity, 6),
                    uri=self._uri(row.path, row.headings),
                    explanation=explanation if explain else None,
                )
            )
            if len(hits) == k:
                break
        return hits

    def _rows(self, chunk_ids: Sequence[int]) -> dict[int, _Row]:
        found: dict[int, _Row] = {}
        for page in pages(chunk_ids):
            for chunk_id, note_id, path, title, headings, start, end, text in self._catalog.connection.execute(
                "SELECT c.id, n.id, n.path, n.title, c.headings, c.start_line, c.end_line, c.text "
                f"FROM chunks c JOIN notes n ON n.id = c.note_id WHERE c.id IN ({marks(page)})",
                page,
            ):
                found[chunk_id] = _Row(
                    chunk_id, note_id, path_from_row(path), title, strings_from_json(headings), start, end, text
                )
        return found


def _unknown_script(model: str, consequence: str) -> str:
    return (
        f"The model {model} does not know this script, {consequence}. For meaning, set embedding.model to a "
        "multilingual one such as intfloat/multilingual-e5-small or BAAI/bge-m3."
    )


def _fuse(keyword: Leg, semantic: Leg, weight: float) -> dict[int, float]:
    """A weighted sum of the two legs' scores; a chunk that a leg did not find has 0 there."""
    return {
        chunk_id: (1 - weight) * keyword.scores.get(chunk_id, 0.0) + weight * semantic.scores.get(chunk_id, 0.0)
        for chunk_id in keyword.scores.keys() | semantic.scores.keys()
    }
