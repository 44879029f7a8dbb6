"""One query answered: filters, legs, fusion, and the hits that a reader sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from obsidian_indexer.embed.bundled import bundled_reader
from obsidian_indexer.errors import IndexerError, NoteError
from obsidian_indexer.options import SearchOptions
from obsidian_indexer.records import Explanation, Hit, SearchResult
from obsidian_indexer.search.correction import Correction, correct
from obsidian_indexer.search.explain import explain_places
from obsidian_indexer.search.filters import Selection, select
from obsidian_indexer.search.fusion import Fused, WeightedLeg, fuse
from obsidian_indexer.search.graph import linked_notes
from obsidian_indexer.search.legs import (
    Words,
    find_links,
    find_notes,
    find_passages,
    find_words,
    notes_of_chunks,
)
from obsidian_indexer.search.listing import DATES, bare_files, date_key, in_order, list_all
from obsidian_indexer.search.meaning import Beside, Meaning, Meant
from obsidian_indexer.search.naming import named_first
from obsidian_indexer.search.query import Query, match_terms, parse_query, plain_query
from obsidian_indexer.search.rerank import rerank as rerank_best
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.search.similar import similar_leg
from obsidian_indexer.search.snippet import snippet
from obsidian_indexer.search.spelling import Vocabulary
from obsidian_indexer.search.terms import missing_morphemes, query_terms
from obsidian_indexer.search.translation import Translation, translate
from obsidian_indexer.search.weighing import KEYWORD, SEMANTIC, Found, Places, Weights, weigh
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.rows import clean_text, marks, pages, path_from_row, path_to_row, strings_from_json

if TYPE_CHECKING:
    from obsidian_indexer.embed.batch import Embedder
    from obsidian_indexer.embed.rerank import Reranker
    from obsidian_indexer.embed.tokens import TextTokenizer

# Below this share of known letters the model reads a query letter by letter, and its vector says next to nothing.
_COVERED = 0.5
# Names that are looked at: each may bring in a note that no other leg found, whose first passage is then looked up.
_TITLES = 50
# Rows are read this many at a time, until enough notes are found.
_PAGE = 24
# Enough of a note to tell its script.
_COVERAGE_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with all that the legs found for it, ready to be weighed.

    `weights` are as the query leaves them: without what the model cannot say of it. `notice` is what the reader should
    know, `corrected` the words searched for where they are not those of the query.
    """

    query: Query
    selection: Selection
    found: Found
    places: Places
    weights: Weights
    notice: str | None
    corrected: str | None


@dataclass(frozen=True, slots=True)
class _Row:
    """What is shown of a place. `note_id` of a file without passages is its place; dates are ns since 1970."""

    note_id: int
    path: str
    title: str
    headings: tuple[str, ...]
    start_line: int
    end_line: int
    text: str
    modified: int = 0
    created: int = 0


class Searcher:
    """Answers queries from one catalogue connection.

    `embedder` gives the active model loaded, `tokenizer` its tokenizer alone; both raise IndexerError when that cannot
    be and are called only when needed, as are `vocabulary`, the words of the vault, and `reranker`, None where the
    settings name none. `uri` makes the link that opens a passage. `beside` begins work on another thread, with a
    catalogue connection of that thread, and gives what waits for its result.
    """

    def __init__(
        self,
        catalog: Catalog,
        options: SearchOptions,
        *,
        meaning: Meaning | None,
        embedder: Callable[[], Embedder],
        tokenizer: Callable[[], TextTokenizer],
        vocabulary: Callable[[], Vocabulary],
        uri: Callable[[str, Sequence[str]], str],
        beside: Beside,
        reranker: Callable[[], Reranker] | None = None,
    ) -> None:
        self._catalog = catalog
        self._options = options
        self._meaning = meaning
        self._embedder = embedder
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._uri = uri
        self._beside = beside
        self._reranker = reranker

    def search(
        self,
        text: str,
        *,
        k: int,
        mode: str,
        group: str,
        explain: bool,
        plain: bool = False,
        sort: str | None = None,
        rerank: bool | None = None,
    ) -> SearchResult:
        """The k best notes (or passages, with group 'chunk') for a query.

        With `plain`, query and mode are taken at their word: no operators, no leg that stands in for another. `sort` is
        the order where the query names none. `rerank` is whether a reranker reads the best results; None leaves it to
        the settings, which rerank all but a search by keyword. Raises QueryError.
        """
        started = time.perf_counter()
        asked = self.gather(text, mode=mode, plain=plain, sort=sort)
        query = asked.query
        fused = weigh(asked.found, asked.places, asked.weights)
        reranked = None
        if rerank or (rerank is None and mode != "keyword" and self._reranker is not None):
            fused, reranked = self._reranked(query.words, fused, k, group)
        fused = named_first(self._catalog, query, fused, asked.selection.scope)
        order = self._order(query, fused, asked.selection)
        hits = self._hits(query, order, fused, k, group, explain, asked.found.translated.terms)
        return SearchResult(
            query=text,
            mode=mode,
            took_ms=round((time.perf_counter() - started) * 1000, 2),
            model=self._meaning.model.name if self._meaning else None,
            hits=tuple(hits),
            notice=self._notice(hits, asked.notice, reranked),
            corrected=asked.corrected,
        )

    def _notice(self, hits: Sequence[Hit], *said: str | None) -> str | None:
        """What the reader should know: before the first index run, nothing but that."""
        if not hits and self._catalog.connection.execute("SELECT 1 FROM notes LIMIT 1").fetchone() is None:
            return "Nothing is indexed yet. Run 'index' first."
        return " ".join(filter(None, said)) or None

    def gather(self, text: str, *, mode: str, plain: bool = False, sort: str | None = None) -> Asked:
        """A query read, corrected and looked up by the legs of a mode; see `search`. Raises QueryError."""
        query = (plain_query if plain else parse_query)(clean_text(text))
        corrected = self._corrected(query)
        query = replace(query, words=corrected.words if corrected else query.words, sort=query.sort or sort)
        selection = select(self._catalog.connection, query.condition)
        found, weights, notice = self._find(query, selection.scope, mode, plain=plain)
        missing = None if mode == "semantic" else missing_morphemes(self._catalog, query.words)
        said = (corrected.notice if corrected else None, query.remark, missing, notice)
        return Asked(
            query,
            selection,
            found,
            Places.of(self._catalog, found, selection.scope),
            weights,
            " ".join(filter(None, said)) or None,
            corrected.words if corrected else None,
        )

    def _corrected(self, query: Query) -> Correction | None:
        """Other words for those that no note holds; none in place of what must stand in a note as it is written."""
        if not query.words or query.exhaustive:
            return None

        def is_word(word: str) -> bool:
            try:
                return self._meaning is not None and self._tokenizer().knows(word)
            except IndexerError:
                return False

        return correct(self._catalog.connection, query.words, self._vocabulary, is_word)

    def _find(self, query: Query, scope: Scope, mode: str, *, plain: bool) -> tuple[Found, Weights, str | None]:
        """What the legs of a mode find, the weights they have then, and what the reader should know."""
        weights = Weights.of(self._options).for_words(query.words)
        if not query.words:
            return Found(), weights, None
        if mode == "keyword":
            return self._by_words(query, scope), weights.by_words(), None
        started = self._start_semantic(query, scope, weights)
        found = self._by_words(query, scope, translated=True) if mode != "semantic" else Found()
        meant = started()
        weights = meant.weights
        if mode == "semantic" and (plain or meant.notice is None):
            weights = weights.by_meaning()
        elif mode == "semantic":
            found = self._by_words(query, scope)
        found = replace(found, near=meant.passages, note_cosines=meant.note_cosines, titles=meant.titles)
        return found, weights, meant.notice

    def _by_words(self, query: Query, scope: Scope, *, translated: bool = False) -> Found:
        """What the legs by words find; `translated` adds the query's words in the other language."""
        limit, terms = self._options.candidates, query_terms(self._catalog, query.words)
        passages = self._beside(lambda catalog: find_passages(catalog, terms, limit, scope))
        notes = self._beside(lambda catalog: find_notes(catalog, terms, limit, scope))
        links = self._beside(lambda catalog: find_links(catalog, query.words, scope))
        translation = translate(self._catalog.connection, query.words) if translated else Translation()
        others = match_terms(" ".join(translation.words))
        in_others = self._beside(lambda catalog: find_words(catalog, others, limit, scope)) if others else Words
        return Found(Words(passages(), notes(), terms), in_others(), translation.unknown, links=links())

    def _start_semantic(self, query: Query, scope: Scope, weights: Weights) -> Callable[[], Meant]:
        """Begin the semantic leg, before those by words; the result is there when the call returns."""
        meaning = self._meaning
        if meaning is None:
            missing = "Nothing is embedded yet: results are by keyword. Run 'index' to search by meaning."
            return lambda: Meant(weights.by_words(), notice=missing)
        return self._beside(lambda _: self._semantic(meaning, query, scope, weights))

    def _semantic(self, meaning: Meaning, query: Query, scope: Scope, weights: Weights) -> Meant:
        """The semantic leg; not on the thread that owns the catalogue's connection."""
        try:
            embedder = self._embedder()
            vector = embedder.embed_query(query.words)
        except IndexerError as error:
            return Meant(weights.by_words(), notice=f"Results are by keyword: {error}")
        passages, of_notes = meaning.nearest(vector, self._options.candidates, scope)
        titles = meaning.titles(vector, _TITLES, scope)
        if embedder.tokenizer.coverage(query.words) >= _COVERED:
            return Meant(weights, passages, of_notes, titles)
        notice = _unknown_script(meaning.model.name, query.words, "so keywords lead")
        return Meant(weights.unsure(), passages, of_notes, titles, notice)

    def _reranked(self, words: str, fused: Fused, k: int, group: str) -> tuple[Fused, str | None]:
        """The best results in the reranker's order, or as they were with the reason why."""
        if self._reranker is None:
            return fused, "Results are not reranked: search.rerank_model names no cross-encoder."
        if not words or not fused.ranking:
            return fused, None
        try:
            reranker = self._reranker()
            if reranker.coverage(words) < _COVERED:
                name = f"{reranker.name} (search.rerank_model)"
                return fused, f"Results are not reranked: {name} does not know this script."
            return rerank_best(
                self._catalog.connection,
                fused,
                words,
                reranker,
                limit=max(k, self._options.rerank_candidates),
                budget_ms=self._options.rerank_ms,
                by_note=group == "note",
            )
        except IndexerError as error:
            return fused, f"Results are not reranked (search.rerank_model): {error}"

    def _order(self, query: Query, fused: Fused, selection: Selection) -> list[int]:
        """The places to show, the first one first: those that were ranked, and all others that a condition lets in."""
        ranked = list(fused.ranking)
        if query.condition is None or not query.exhaustive:
            return ranked
        file_of = notes_of_chunks(self._catalog.connection, ranked)
        known = [chunk_id for chunk_id in ranked if chunk_id in file_of]
        return in_order(query, known, file_of, list_all(self._catalog.connection, selection))

    def similar(self, path: str, *, k: int, hide_linked: bool = False) -> SearchResult:
        """Notes like this one, from stored vectors alone; `hide_linked` leaves out those it links to or is linked from.

        Raises NoteError when the note has no vectors.
        """
        started = time.perf_counter()
        row = self._catalog.connection.execute("SELECT id FROM notes WHERE path=?", (path_to_row(path),)).fetchone()
        if row is None:
            raise NoteError(f"{path} is not in the index. Give the path from the vault's root, or run 'index' first.")
        if self._meaning is None:
            raise NoteError("Nothing is embedded yet. Run 'index' first.")
        hidden = linked_notes(self._catalog, path) if hide_linked else frozenset()
        leg = similar_leg(self._meaning.live(), row[0], hidden, k)
        if leg is None:
            raise NoteError(f"{path} has no text that was embedded.")
        fused = fuse([WeightedLeg(SEMANTIC, 1.0, leg)])
        hits = self._hits(Query(path, ""), fused.ranking, fused, k, "note", explain=False)
        took = round((time.perf_counter() - started) * 1000, 2)
        name = self._meaning.model.name
        sample = self._sample(row[0])
        notice = None if self._covers(sample) else _unknown_script(name, sample, "so likeness says little")
        return SearchResult(path, "similar", took, name, tuple(hits), notice)

    def _sample(self, note_id: int) -> str:
        """The beginning of a note."""
        texts = self._catalog.connection.execute(
            "SELECT text FROM chunks WHERE note_id=? ORDER BY seq LIMIT 5", (note_id,)
        ).fetchall()
        return " ".join(row[0] for row in texts)[:_COVERAGE_CHARS]

    def _covers(self, sample: str) -> bool:
        """Whether the model knows the script that a text is mostly written in; a missing model is no reason to warn."""
        try:
            foreign = sum(not char.isascii() for char in sample if char.isalpha())
            mostly_foreign = 2 * foreign > sum(char.isalpha() for char in sample)
            return not mostly_foreign or self._tokenizer().coverage(sample) >= _COVERED
        except IndexerError:
            return True

    def _hits(
        self,
        query: Query,
        order: Sequence[int],
        fused: Fused,
        k: int,
        group: str,
        explain: bool,
        also_shown: Sequence[str] = (),
    ) -> list[Hit]:
        shown = self._best(order, k, by_note=group == "note")
        if query.sort is not None and not query.exhaustive:
            shown.sort(key=lambda item: date_key(query.sort, item[1].modified, item[1].created))
        explanations: Mapping[int, Explanation] = {}
        if explain:
            note_of = {place: row.note_id for place, row in shown}
            explanations = explain_places(self._catalog.connection, fused, note_of)
        hits: list[Hit] = []
        words = " ".join((query.words, *also_shown))
        for place, row in shown:
            similarity = fused.similarity(SEMANTIC, place)
            hits.append(
                Hit(
                    path=row.path,
                    title=row.title,
                    headings=row.headings,
                    start_line=row.start_line,
                    end_line=row.end_line,
                    snippet=snippet(row.text, words, self._options.snippet_chars),
                    # What a condition alone found meets it wholly.
                    score=round(fused.scores.get(place, 0.0 if fused.scores else 1.0), 6),
                    keyword_rank=fused.rank(KEYWORD, place),
                    semantic_rank=fused.rank(SEMANTIC, place),
                    similarity=None if similarity is None else round(similarity, 6),
                    uri=self._uri(row.path, row.headings),
                    explanation=explanations.get(place),
                )
            )
        return hits

    def _best(self, order: Sequence[int], k: int, *, by_note: bool) -> list[tuple[int, _Row]]:
        """The first k places that are still there, with `by_note` one of each note."""
        found: list[tuple[int, _Row]] = []
        met: set[int] = set()
        for page in pages(order, max(2 * k, _PAGE)):
            rows = self._rows(page)
            for place in page:
                row = rows.get(place)
                if row is None or (by_note and row.note_id in met):
                    continue
                met.add(row.note_id)
                found.append((place, row))
                if len(found) == k:
                    return found
        return found

    def _rows(self, places: Sequence[int]) -> dict[int, _Row]:
        found: dict[int, _Row] = {}
        for page in pages([place for place in places if place > 0]):
            for chunk_id, note_id, path, title, headings, *rest in self._catalog.connection.execute(
                f"SELECT c.id, n.id, n.path, n.title, c.headings, c.start_line, c.end_line, c.text, {DATES} "
                f"FROM chunks c JOIN notes n ON n.id = c.note_id WHERE c.id IN ({marks(page)})",
                page,
            ):
                found[chunk_id] = _Row(note_id, path_from_row(path), title, strings_from_json(headings), *rest)
        bare = bare_files(self._catalog.connection, (place for place in places if place < 0))
        return found | {place: _Row(place, file.path, file.title, (), 1, 1, "") for place, file in bare.items()}


def _unknown_script(model: str, text: str, consequence: str) -> str:
    bundled = bundled_reader(text)
    cure = (
        f"run 'index --model {bundled}', which comes with the program"
        if bundled
        else "set embedding.model to a multilingual one such as intfloat/multilingual-e5-small or BAAI/bge-m3"
    )
    return f"The model {model} does not know this script, {consequence}. For meaning, {cure}."
