"""The best results read again by a cross-encoder, within a time.

The order of what it read is wholly its own: how far one model's scores may be trusted beside the legs' differs from
model to model, and whoever names a reranker wants its order. What it did not come to keeps its place behind.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from obsidian_indexer.embed.rerank import Reranker
from obsidian_indexer.search.fusion import Fused, Leg, WeightedLeg
from obsidian_indexer.store.rows import marks, pages

RERANK = "rerank"
"""The reranker, as explanations name it."""
# Read first, to learn how long a passage takes; then what fits in the time left, this many at once at most.
_FIRST, _LARGEST = 2, 16
# Places are looked up this many at a time, until enough results are found.
_PAGE = 64


def rerank(
    connection: sqlite3.Connection,
    fused: Fused,
    words: str,
    reranker: Reranker,
    *,
    limit: int,
    budget_ms: float,
    by_note: bool,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Fused, str | None]:
    """The first `limit` results in the reranker's order, and what the reader should know of it.

    With `by_note`, a result is a note at its best passage. Raises EmbeddingError.
    """
    results = _results(connection, fused.ranking, limit, by_note)
    texts = [text for _, text, _ in results]
    started = clock()
    scores = _read_in_time(reranker, words, texts, budget_ms / 1000, clock)
    took_ms = (clock() - started) * 1000
    read = results[: len(scores)]
    best_first = sorted(range(len(read)), key=lambda i: -scores[i])
    order = [read[i][0] for i in best_first]
    # Each takes the score of the place that it moves to, so that scores still fall from result to result.
    moved = {place: fused.scores[read[rank][0]] for rank, place in enumerate(order)}
    details = {read[i][0]: f"{scores[i]:.2f} by {reranker.name}, place {i + 1} before" for i in best_first}
    leg = Leg(moved, {place: rank for rank, place in enumerate(order, 1)}, detail=details.get)
    settled = {place for _, _, same_note in read for place in same_note}
    reranked = replace(
        fused,
        legs=(*fused.legs, WeightedLeg(RERANK, 1.0, leg)),
        scores={**fused.scores, **moved},
        ranking=(*order, *(place for place in fused.ranking if place not in settled)),
    )
    if len(read) == len(results):
        return reranked, None
    return reranked, (
        f"{reranker.name} read {len(read)} of {len(results)} results in {took_ms:.0f} ms (search.rerank_ms); "
        "the others keep their places."
    )


def _results(
    connection: sqlite3.Connection, ranking: Sequence[int], limit: int, by_note: bool
) -> list[tuple[int, str, list[int]]]:
    """(place, text, places it stands for) of the first results: the text is what the embedding model read of it."""
    found: list[tuple[int, str, list[int]]] = []
    met: dict[int, list[int]] = {}
    for page in pages(ranking, _PAGE):
        rows = {
            row[0]: row[1:]
            for row in connection.execute(
                f"SELECT id, note_id, embedded_text, text FROM chunks WHERE id IN ({marks(page)})", page
            )
        }
        for place in page:
            if place not in rows:
                continue
            note, embedded, text = rows[place]
            if by_note and note in met:
                met[note].append(place)
            elif len(found) < limit:
                met[note] = [place]
                found.append((place, embedded or text, met[note]))
        if len(found) == limit:
            break
    return found


def _read_in_time(
    reranker: Reranker, words: str, texts: Sequence[str], budget_s: float, clock: Callable[[], float]
) -> list[float]:
    """Scores of the first texts, as many as are likely to fit in the time and two at least."""
    started = clock()
    scores: list[float] = []
    size = _FIRST
    while size > 0 and len(scores) < len(texts):
        scores += reranker.scores(words, texts[len(scores) : len(scores) + size]).tolist()
        spent = max(clock() - started, 1e-6)
        size = min(_LARGEST, int((budget_s - spent) * len(scores) / spent))
    return scores
