"""Similar notes: what a note is about counts, in each of its topics, not what all notes repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from obsidian_indexer.errors import NoteError
from tests.kit import open_engine, write_vault

ROASTING = "Beans crack twice in the drum while sugar browns and the roaster listens for the second snap of the roast."
SAILING = "Reef the mainsail early when wind rises over the harbour and keep the keel deep against the swell and tide."
BAKING = "Knead the dough until gluten holds, proof the loaf overnight, then bake it with steam under a heavy lid."
TAXES = "Declare income before the deadline, keep each receipt, and deduct travel from the annual return of taxes."


def section(heading: str, text: str) -> str:
    """Enough of a topic to be a passage of its own."""
    return f"## {heading}\n\n" + "\n\n".join([text] * 4) + "\n\n"


def similar(tmp_path: Path, notes: dict[str, str], path: str, **how: object) -> list[str]:
    with open_engine(write_vault(tmp_path / "vault", notes), tmp_path / "index") as engine:
        engine.index()
        return [hit.path for hit in engine.similar(path, **how).hits]  # type: ignore[arg-type]


def test_each_topic_of_a_long_note_finds_its_notes(tmp_path: Path) -> None:
    notes = {
        "Log.md": "# Log\n\n" + section("One", ROASTING) + section("Two", SAILING) + section("Three", BAKING),
        "Drum.md": f"# Drum\n\n{ROASTING}\n",
        "Boat.md": f"# Boat\n\n{SAILING}\n",
        "Bread.md": f"# Bread\n\n{BAKING}\n",
        **{f"Taxes {i}.md": f"# Taxes {i}\n\n{TAXES} Year {i}.\n" for i in range(6)},
    }
    assert set(similar(tmp_path, notes, "Log.md")[:3]) == {"Drum.md", "Boat.md", "Bread.md"}


def test_the_hit_is_the_passage_that_comes_nearest(tmp_path: Path) -> None:
    notes = {
        "Log.md": "# Log\n\n" + section("One", ROASTING) + section("Two", SAILING),
        "Boat.md": f"# Boat\n\n{SAILING}\n",
        "Taxes.md": f"# Taxes\n\n{TAXES}\n",
    }
    with open_engine(write_vault(tmp_path / "vault", notes), tmp_path / "index") as engine:
        engine.index()
        hit = engine.similar("Boat.md").hits[0]
    assert (hit.path, hit.headings[-1], hit.semantic_rank) == ("Log.md", "Two", 1)
    assert hit.similarity == hit.score


def test_what_several_notes_repeat_is_not_decisive(tmp_path: Path) -> None:
    footer = section("Licence", "This work may be copied shared and changed by anyone as long as its author is named.")
    notes = {
        "Drum.md": "# Drum\n\n" + section("Beans", ROASTING) + footer,
        "Roast.md": "# Roast\n\n" + section("Snap", ROASTING.replace("twice", "again")),
        **{f"Form {i}.md": f"# Form {i}\n\n" + section("Forms", f"{TAXES} {i}") + footer for i in range(4)},
        "Boat.md": "# Boat\n\n" + section("Sea", SAILING),
        "Bread.md": "# Bread\n\n" + section("Oven", BAKING),
    }
    found = similar(tmp_path, notes, "Drum.md")
    assert found[0] == "Roast.md"
    assert set(found[1:3]) & {"Boat.md", "Bread.md"}


def test_copies_are_like_each_other(tmp_path: Path) -> None:
    notes = {f"Copy {i}.md": f"# Copy\n\n{SAILING}\n" for i in range(5)} | {"Taxes.md": f"# Taxes\n\n{TAXES}\n"}
    *copies, last = similar(tmp_path, notes, "Copy 0.md")
    assert (sorted(copies), last) == ([f"Copy {i}.md" for i in (1, 2, 3, 4)], "Taxes.md")


def test_linked_notes_can_be_left_out(tmp_path: Path) -> None:
    notes = {
        "Boat.md": f"# Boat\n\n{SAILING} See [[Sea|the sea]].\n",
        "Sea.md": f"# Sea\n\n{SAILING}\n",
        "Port.md": f"# Port\n\n{SAILING} Back to [[boat]].\n",
        "Wind.md": f"# Wind\n\n{SAILING}\n",
        "Taxes.md": f"# Taxes\n\n{TAXES}\n",
    }
    assert set(similar(tmp_path, notes, "Boat.md", k=3)) == {"Sea.md", "Port.md", "Wind.md"}
    assert similar(tmp_path, notes, "Boat.md", hide_linked=True) == ["Wind.md", "Taxes.md"]


def test_a_note_that_is_gone_is_not_found(tmp_path: Path) -> None:
    notes = {name: f"# {name}\n\n{SAILING}\n" for name in ("Boat.md", "Sea.md", "Wind.md")}
    with open_engine(write_vault(tmp_path / "vault", notes), tmp_path / "index") as engine:
        engine.index()
        assert {hit.path for hit in engine.similar("Boat.md").hits} == {"Sea.md", "Wind.md"}
        (tmp_path / "vault/Sea.md").unlink()
        engine.index()
        assert [hit.path for hit in engine.similar("Boat.md").hits] == ["Wind.md"]


def test_a_note_alone_is_like_none(tmp_path: Path) -> None:
    assert similar(tmp_path, {"Boat.md": f"# Boat\n\n{SAILING}\n"}, "Boat.md") == []


def test_no_model_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = {"Boat.md": f"# Boat\n\n{SAILING}\n", "Sea.md": f"# Sea\n\n{SAILING}\n"}
    with open_engine(write_vault(tmp_path / "vault", notes), tmp_path / "index") as engine:
        engine.index()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was asked for")

    monkeypatch.setattr("obsidian_indexer.embed.loaded.LoadedModel.get", refuse)
    with open_engine(tmp_path / "vault", tmp_path / "index") as engine:
        assert [hit.path for hit in engine.similar("Boat.md").hits] == ["Sea.md"]


def test_a_note_without_text_says_so(tmp_path: Path) -> None:
    notes = {"Boat.md": f"# Boat\n\n{SAILING}\n", "Empty.md": ""}
    with open_engine(write_vault(tmp_path / "vault", notes), tmp_path / "index") as engine:
        engine.index()
        with pytest.raises(NoteError, match=r"Empty\.md has no text"):
            engine.similar("Empty.md")
