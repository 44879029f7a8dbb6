"""The model's card: its text with the tables of what it was made from and how it measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).with_name("card.md")


def render(table: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """The card as Markdown. `table` is what `training table` wrote, `model` what `training evaluate` wrote."""
    return Template(TEMPLATE.read_text("utf-8")).substitute(
        sources=sources(table["sources"]),
        left_out="; ".join(f"{n:,} {reason}" for reason, n in table["left_out"].items()),
        pairs=f"{table['chosen']:,}",
        collections=collections(model["sets"]),
        titles=titles(model["titles"]),
        **{name: str(value) for name, value in model["teacher"].items()},
    )


def sources(rows: Sequence[Sequence[Any]]) -> str:
    """A table of source, licence and pairs used."""
    return _table(("Source", "Licence", "Pairs"), [(source, licence, f"{n:,}") for source, licence, n in rows])


def collections(sets: Mapping[str, Any]) -> str:
    """nDCG@10 by collection: by vectors alone, by words, and by both."""
    rows = [
        (name, *(f"{modes[mode]['ndcg_at_10']:.3f}" for mode in ("semantic", "keyword", "hybrid")))
        for name, modes in sets.items()
    ]
    return _table(("Collection", "vectors", "words", "words and vectors"), rows)


def titles(measured: Mapping[str, Any]) -> str:
    """hit@1 and hit@5 of Korean titles asked of an English manual."""
    cells = (f"{measured[mode][f'hit@{k}']:.2f}" for mode in ("semantic", "hybrid") for k in (1, 5))
    head = ("Korean titles → English manual", "vectors hit@1", "hit@5", "with words hit@1", "hit@5")
    return _table(head, [(f"{measured['questions']} titles", *cells)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
