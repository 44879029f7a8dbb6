"""A vault measured by its own names: what is asked, and that what gives an answer away is not there to be found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.errors import Cancelled, ConfigError, VaultError
from obsidian_indexer.evaluate.masking import mask_vault
from obsidian_indexer.evaluate.metrics import Scores
from obsidian_indexer.evaluate.questions import QuestionKind, Script, read_questions, script_of
from obsidian_indexer.evaluate.run import Course, evaluate_vault
from obsidian_indexer.evaluate.vaults import INDEX, borrow_index, write_vault
from obsidian_indexer.options import Options, VaultOptions
from obsidian_indexer.search.legs import find_links
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.schema import CATALOG_NAME
from tests.kit import open_engine, options_for
from tests.kit import write_vault as write_notes

ALL = 1000


def vault_of(folder: Path, notes: dict[str, str]) -> Options:
    return options_for(write_notes(folder / "vault", notes), folder / "data")


def asked(options: Options, limit: int = ALL) -> set[tuple[str, str, str]]:
    return {(question.kind, question.text, question.answer) for question in read_questions(options, limit)}


def keyword_scores(options: Options) -> Scores:
    return evaluate_vault(options, ["keyword"], limit=ALL).modes["keyword"]


def test_links_aliases_and_headings_ask(tmp_path: Path) -> None:
    notes = {
        "Beans.md": "---\naliases: [legumes]\n---\n# Beans\n\nThey climb.\n\n## Harvest time\n\nPick them young.\n",
        "Diary.md": "Looked at [[Beans|the climbers]] and at [beans](Beans.md).\n",
    }
    assert asked(vault_of(tmp_path, notes)) == {
        (QuestionKind.LINK, "the climbers", "Beans.md"),
        (QuestionKind.ALIAS, "legumes", "Beans.md"),
        (QuestionKind.HEADING, "Harvest time", "Beans.md"),
        (QuestionKind.HEADING, "Beans", "Beans.md"),
    }


def test_what_stands_for_several_notes_asks_nothing(tmp_path: Path) -> None:
    notes = {
        "Beans.md": "## Overview\n\nThey climb.\n",
        "Peas.md": "## Overview\n\nThey climb too.\n\n## Diary\n\nSown in March.\n",
        "Diary.md": "[[Beans|here]] and [[Peas|Here]], [[Beans|Peas]].\n",
    }
    assert asked(vault_of(tmp_path, notes)) == set()


def test_what_has_no_text_to_answer_with_asks_nothing(tmp_path: Path) -> None:
    notes = {
        "Stub.md": "---\naliases: [placeholder]\n---\n# Later\n",
        "Beans.md": "## Sowing\n\n## Harvest\n\nPick them young.\n",
        "Diary.md": "See [[Stub|that idea]], ![[Beans.png|300]] and [[Nowhere|lost]].\n",
    }
    assert asked(vault_of(tmp_path, notes)) == {(QuestionKind.HEADING, "Harvest", "Beans.md")}


def test_a_limit_takes_from_every_kind_and_the_same_each_time(tmp_path: Path) -> None:
    many = "".join(f"## Heading number {i}\n\nText {i}.\n\n" for i in range(30))
    notes = {
        "Long.md": f"---\naliases: [the long one]\n---\n{many}",
        "Diary.md": "See [[Long|what I wrote]].\n",
    }
    options = vault_of(tmp_path, notes)
    drawn = asked(options, 6)
    assert {kind for kind, _, _ in drawn} == set(QuestionKind)
    assert drawn == asked(options, 6)
    assert len(drawn) == 6


def test_ignored_notes_ask_nothing(tmp_path: Path) -> None:
    notes = {"Private/Beans.md": "## Harvest\n\nYoung.\n", "Draft.md": "---\ntags: [draft]\n---\n## Sowing\n\nMarch.\n"}
    options = replace(vault_of(tmp_path, notes), vault=VaultOptions(exclude=("Private/",), exclude_tags=("draft",)))
    assert asked(options) == set()


def test_an_alias_that_only_the_alias_holds_is_not_found(tmp_path: Path) -> None:
    notes = {"Zanzibar.md": "---\naliases: [quokka]\n---\nCloves and ferries.\n", "Peas.md": "They climb.\n"}
    options = vault_of(tmp_path, notes)
    with open_engine(options.vault_path, options.data_dir) as engine:
        engine.index()
        assert engine.search("quokka", mode="keyword").hits[0].path == "Zanzibar.md"
    scores = keyword_scores(options)
    assert (scores.questions, scores.unanswered, scores.recall_at_10) == (1, 1, 0.0)


def test_an_alias_that_the_text_repeats_is_found(tmp_path: Path) -> None:
    notes = {"Zanzibar.md": "---\naliases:\n  - spice island\n---\nThe spice island smells of cloves.\n"}
    assert keyword_scores(vault_of(tmp_path, notes)).hit_at_1 == 1.0


@pytest.mark.parametrize(
    "note",
    [
        "# Zanzibar\n\nCloves and ferries.\n",
        "Zanzibar\n========\n\nCloves and ferries.\n",
        "---\ntitle: Zanzibar\ndescription: Zanzibar\n---\n# Zanzibar\n\nCloves and ferries.\n",
        "# Zanzibar\n\n- [[#Zanzibar]]\n\nCloves and ferries.\n",
    ],
)
def test_a_title_is_found_nowhere(tmp_path: Path, note: str) -> None:
    options = vault_of(tmp_path, {"Zanzibar/Zanzibar.md": note, "Peas.md": "They climb.\n"})
    scores = keyword_scores(options)
    assert (scores.questions, scores.unanswered) == (1, 1)


def test_a_heading_is_answered_by_the_text_below_it_alone(tmp_path: Path) -> None:
    notes = {"Beans.md": "## Harvest time\n\nPick them young.\n\n## Sowing in March\n\nMarch is best for sowing.\n"}
    by_heading = evaluate_vault(vault_of(tmp_path, notes), ["keyword"], limit=ALL)
    assert by_heading.modes["keyword"].questions == 2
    assert by_heading.modes["keyword"].unanswered == 1
    assert by_heading.modes["keyword"].hit_at_1 == 0.5


def test_the_linking_passage_is_not_found(tmp_path: Path) -> None:
    notes = {
        "Zanzibar.md": "Ferries leave at noon.\n",
        "Diary.md": "Met a quokka.\n\nAt [[Zanzibar|the quokka place]].\n\n- [[Zanzibar|The Quokka place]]\n",
    }
    options = vault_of(tmp_path, notes)
    masked = mask_vault(options, read_questions(options, ALL))
    diary = masked.notes["Diary.md"][1].decode()
    assert "Met a quokka." in diary
    assert "place" not in diary
    # The rest of the note may be found, as any other note.
    scores = keyword_scores(options)
    assert (scores.questions, scores.recall_at_10) == (1, 0.0)


def test_no_link_says_what_a_hidden_note_is_called(tmp_path: Path) -> None:
    notes = {
        "Zanzibar.md": "Ferries leave at noon.\n",
        "Peas.md": "They climb.\n",
        "Diary.md": "At [[Zanzibar|the quokka place]].\n\nThen [[Zanzibar|quokka island]], [[Peas|the climbers]].\n",
    }
    options = vault_of(tmp_path, notes)
    keep = tmp_path / "kept"
    report = evaluate_vault(options, ["keyword"], keep, limit=ALL)
    assert report.modes["keyword"].recall_at_10 == 0.0
    (kept,) = keep.rglob(CATALOG_NAME)
    with Catalog.open(kept.parent) as catalog:
        assert find_links(catalog, "the quokka place", Scope()) == {}
        assert catalog.connection.execute("SELECT text FROM anchors").fetchall() == []


def test_a_link_is_answered_by_its_target(tmp_path: Path) -> None:
    notes = {
        "Zanzibar.md": "Where the cloves grow, ferries leave at noon.\n",
        "Diary.md": "Went [[Zanzibar|where cloves grow]].\n",
    }
    report = evaluate_vault(vault_of(tmp_path, notes), ["keyword", "hybrid"], limit=ALL)
    assert report.modes["hybrid"].hit_at_1 == 1.0
    assert list(report.groups["kind"]) == ["link"]
    assert list(report.groups["script"]) == ["latin"]


def test_other_notes_stay_as_they_are(tmp_path: Path) -> None:
    notes = {
        "Zanzibar.md": "---\naliases: [quokka]\ntags: [sea]\n---\r\nCloves.\r\n",
        "Peas.md": "They climb.\r\n",
        "Board.canvas": '{"nodes": [], "edges": []}',
    }
    options = vault_of(tmp_path, notes)
    masked = mask_vault(options, read_questions(options, ALL))
    assert masked.notes["Peas.md"] == ("Peas.md", b"They climb.\r\n")
    assert "Board.canvas" in masked.notes
    (hidden,) = [content.decode() for original, content in masked.notes.values() if original == "Zanzibar.md"]
    assert "tags: [sea]" in hidden
    assert "quokka" not in hidden


def test_a_vault_that_asks_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="nothing to ask"):
        evaluate_vault(vault_of(tmp_path, {"Peas.md": "They climb.\n"}), limit=ALL)


def test_what_the_index_has_embedded_is_borrowed_and_stays_untouched(tmp_path: Path) -> None:
    notes = {f"Note {i}.md": f"Text about subject {i}.\n" for i in range(5)}
    options = vault_of(tmp_path, {**notes, "Beans.md": "## Harvest\n\nPick them young.\n"})
    with open_engine(options.vault_path, options.data_dir, model="fake:32") as engine:
        engine.index()
    before = (options.data_dir / CATALOG_NAME).read_bytes()
    options = replace(options, embedding=replace(options.embedding, model="default"))
    report = evaluate_vault(options, limit=ALL)
    assert report.model == "fake:32"
    assert (report.documents, report.embedded) == (6, 1)
    assert (options.data_dir / CATALOG_NAME).read_bytes() == before


def test_a_damaged_index_is_no_reason_not_to_measure(tmp_path: Path) -> None:
    options = vault_of(tmp_path, {"Beans.md": "## Harvest\n\nPick them young.\n"})
    options.data_dir.mkdir()
    (options.data_dir / CATALOG_NAME).write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert keyword_scores(options).questions == 1


def test_nothing_is_kept_inside_the_vault(tmp_path: Path) -> None:
    options = vault_of(tmp_path, {"Beans.md": "## Harvest\n\nPick them young.\n"})
    inside = options.vault_path / "measured"
    with pytest.raises(ConfigError, match="inside the vault"):
        evaluate_vault(options, keep=inside, limit=ALL)
    assert not inside.exists()


def test_a_run_that_is_stopped_ends_at_once(tmp_path: Path) -> None:
    course = Course()
    course.cancel.cancel()
    with pytest.raises(Cancelled):
        evaluate_vault(vault_of(tmp_path, {"Beans.md": "## Harvest\n\nYoung.\n"}), limit=ALL, course=course)


def test_an_index_begun_before_is_not_replaced(tmp_path: Path) -> None:
    options = vault_of(tmp_path, {"Beans.md": "Climb.\n"})
    with open_engine(options.vault_path, options.data_dir) as engine:
        engine.index()
    place = tmp_path / "place"
    vault = write_vault({"Peas.md": ("Peas.md", b"Climb too.\n")}, place)
    with open_engine(vault, place / INDEX) as engine:
        engine.index()
    borrow_index(options.data_dir, place)
    with open_engine(vault, place / INDEX) as engine:
        assert engine.status().notes == 1


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("two words 2", Script.LATIN),
        ("회의록 2026", Script.HANGUL),
        ("会議の記録", Script.HAN_KANA),
        ("Obsidian에서", Script.MIXED),
        ("заметка", Script.OTHER),
        ("42", Script.OTHER),
    ],
)
def test_scripts(text: str, script: Script) -> None:
    assert script_of(text) is script
