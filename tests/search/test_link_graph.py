"""Links out of the catalogue: where each leads now, and what leads to a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import NoteError
from obsidian_indexer.records import VaultLink
from tests.kit import open_engine, write_vault

NOTES = {
    "Heron.md": "# Heron\n\nSee [[#Heron]] and [[Heron]].\n",
    "Birds/Walk.md": "Text\n\nSaw [[heron|the grey one]] and ![[Heron#Heron]].\n",
    "Birds/Card.md": (
        '---\nabout: "[[Heron]]"\nseen: ["[[Pond]]", "[[heron#Food]]"]\n---\n[map](../maps/pond%20map.png)\n'
    ),
    "Deep/Heron.md": "Another heron.\n",
    "Deep/Near.md": "Mine is [[Heron]], the other [[/Heron]] and [[Deep/Heron]].\n",
    "Lost.md": "[[Nowhere]] and [[Alias Only]]\n",
    "Named.md": "---\naliases: [Alias Only]\n---\ntext\n",
}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    root = write_vault(tmp_path / "vault", NOTES)
    (root / "maps").mkdir()
    (root / "maps/pond map.png").write_bytes(b"png")
    return root


@pytest.fixture
def engine(vault: Path, tmp_path: Path) -> Iterator[Engine]:
    with open_engine(vault, tmp_path / "index") as opened:
        opened.index()
        yield opened


def places(links: list[VaultLink]) -> list[tuple[str, int, str | None]]:
    return [(link.source, link.line, link.display) for link in links]


def test_backlinks_are_the_links_that_lead_here_whatever_their_spelling(engine: Engine) -> None:
    assert places(engine.backlinks("Heron.md")) == [
        ("Birds/Card.md", 1, None),
        ("Birds/Card.md", 1, None),
        ("Birds/Walk.md", 3, "the grey one"),
        ("Birds/Walk.md", 3, None),
        ("Deep/Near.md", 1, None),
    ]
    assert [link.target for link in engine.backlinks("Deep/Heron.md")] == ["Heron", "Deep/Heron"]


def test_property_links_count_and_name_their_property(engine: Engine) -> None:
    links = [link for link in engine.backlinks("Heron.md") if link.property]
    assert [(link.property, link.heading) for link in links] == [("about", None), ("seen.1", "Food")]


def test_a_file_that_is_no_note_has_backlinks_too(engine: Engine) -> None:
    assert [link.source for link in engine.backlinks("maps/pond map.png")] == ["Birds/Card.md"]


def test_outgoing_links_keep_their_order_and_the_unresolved_ones(engine: Engine) -> None:
    assert [(link.target, link.resolved) for link in engine.outgoing("Birds/Card.md")] == [
        ("Heron", "Heron.md"),
        ("Pond", None),
        ("heron", "Heron.md"),
        ("../maps/pond map.png", "maps/pond map.png"),
    ]
    assert [link.resolved for link in engine.outgoing("Heron.md")] == ["Heron.md", "Heron.md"]


def test_links_that_lead_nowhere_are_listed(engine: Engine) -> None:
    assert [(link.source, link.target) for link in engine.unresolved_links()] == [
        ("Birds/Card.md", "Pond"),
        ("Lost.md", "Nowhere"),
        ("Lost.md", "Alias Only"),
    ]


def test_resolution_follows_the_files_without_another_run(engine: Engine, vault: Path) -> None:
    (vault / "Nowhere.canvas.md").write_text("", "utf-8")
    (vault / "Nowhere.md").write_text("now here", "utf-8")
    assert [link.source for link in engine.backlinks("Nowhere.md")] == ["Lost.md"]
    (vault / "Deep/Heron.md").unlink()
    assert ("Deep/Near.md", 1, None) in places(engine.backlinks("Heron.md"))
    assert engine.outgoing("Deep/Near.md")[0].resolved == "Heron.md"


def test_edits_and_removals_take_their_links_along(engine: Engine, vault: Path) -> None:
    (vault / "Birds/Walk.md").write_text("Nothing here links.\n", "utf-8")
    (vault / "Birds/Card.md").unlink()
    engine.index()
    assert {link.source for link in engine.backlinks("Heron.md")} == {"Deep/Near.md"}


def test_an_unknown_file_is_said_to_be_one(engine: Engine) -> None:
    for ask in (engine.backlinks, engine.outgoing):
        with pytest.raises(NoteError, match="no file"):
            ask("../outside.md")


def test_names_meet_without_regard_to_unicode_form(vault: Path, tmp_path: Path) -> None:
    import unicodedata

    (vault / (unicodedata.normalize("NFD", "카페") + ".md")).write_text("x", "utf-8")
    (vault / "To.md").write_text("[[카페]] [[a.b]]", "utf-8")
    (vault / "a.b.md").write_text("x", "utf-8")
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        assert [link.source for link in engine.backlinks(unicodedata.normalize("NFD", "카페") + ".md")] == ["To.md"]
        assert [link.source for link in engine.backlinks("a.b.md")] == ["To.md"]
