"""The search screen: answers as one types, the note beside them, opening elsewhere."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from obsidian_indexer.errors import QueryError
from obsidian_indexer.options import UiOptions
from obsidian_indexer.tui.opening import OpenError
from obsidian_indexer.tui.widgets.hit_list import HitList
from obsidian_indexer.tui.widgets.preview import Preview
from tests.tui.conftest import RunApp, Stage
from tests.tui.fake_engine import NOTES, FakeEngine, make_hit


async def type_query(stage: Stage, query: str) -> None:
    """Open the search screen and type."""
    if type(stage.app.screen).__name__ != "SearchScreen":
        await stage.press("2")
    await stage.press(*("space" if char == " " else char for char in query))


def selected(stage: Stage) -> str | None:
    """The path of the highlighted result."""
    hit = stage.app.screen.query_one(HitList).selected
    return hit.path if hit is not None else None


async def test_results_show_title_place_lines_and_snippet(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        text = stage.screen_text()
        for piece in ("Linking notes", "Guides/", "Link to a block", ":14–15", "A block can be any"):
            assert piece in text
        assert "블록에 링크하기" in text


async def test_keyword_hits_come_before_the_model_answers(run_app: RunApp) -> None:
    gate = threading.Event()

    def prepare(engine: FakeEngine) -> None:
        engine.search_gate = gate

    async with run_app(prepare) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("refining…")
        assert "Linking notes" in stage.screen_text()
        gate.set()
        await stage.until(lambda: "refining" not in stage.screen_text())
        assert ("search", "link", "keyword") in stage.engine.calls
        assert ("search", "link", "hybrid") in stage.engine.calls


async def test_a_late_answer_to_an_older_query_is_not_shown(run_app: RunApp) -> None:
    gate = threading.Event()

    def prepare(engine: FakeEngine) -> None:
        engine.search_gate = gate

    async with run_app(prepare) as stage:
        await type_query(stage, "link")
        await stage.until(lambda: any(call[-1] == "hybrid" for call in stage.engine.calls))
        await stage.press("ctrl+t", "ctrl+t")
        await stage.press("ctrl+u")
        await type_query(stage, "nothing")
        await stage.assert_shown("Nothing found for “nothing”")
        gate.set()
        await stage.app.workers.wait_for_complete()
        await stage.pilot.pause()
        assert "Linking notes" not in stage.screen_text()


async def test_the_preview_marks_the_passage(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("▎ A block can be any paragraph")
        text = stage.screen_text()
        assert "☑ learn about links" in text
        assert "▎ ☑" not in text
        assert "lines 14–15" in text


async def test_moving_in_the_list_moves_the_preview(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("down", "down")
        assert selected(stage) == "한국어/블록에 링크하기.md"
        await stage.assert_shown("▎ 1. 문단 끝에")
        await stage.press("up", "up")
        await stage.press(*"x")
        assert stage.app.screen.query_one("#query").has_focus


async def test_enter_opens_obsidian_and_says_what_went_wrong(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("down", "enter")
        await stage.until(lambda: stage.opened)
        assert stage.opened == ["obsidian://open?vault=demo&file=x"]

        def fail(uri: str) -> None:
            raise OpenError("'xdg-open' is not installed")

        stage.app.open_link = fail
        await stage.press("enter")
        await stage.assert_shown("'xdg-open' is not installed")


@pytest.mark.parametrize("keys", [("ctrl+e",), ("down", "e")])
async def test_the_editor_gets_file_and_line(
    run_app: RunApp, keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "nvim -p")

    async with run_app() as stage:
        # The headless driver cannot hand its terminal over; what is asked of the editor is the point here.
        monkeypatch.setattr(type(stage.app._driver), "can_suspend", True)
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press(*keys)
        await stage.until(lambda: stage.edited)
        options = stage.app.bridge.options
        assert options is not None
        assert stage.edited == [["nvim", "-p", "+14", str(options.vault_path / "Guides/Linking notes.md")]]


async def test_e_in_the_query_is_a_letter(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "see")
        assert stage.edited == []
        await stage.until(lambda: ("search", "see", "keyword") in stage.engine.calls)


async def test_similar_notes_and_back(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("down", "s")
        await stage.assert_shown("like Linking notes")
        assert ("similar", "Guides/Linking notes.md") in stage.engine.calls
        assert selected(stage) != "Guides/Linking notes.md"
        await stage.press("escape")
        await stage.assert_shown("3 results")
        await stage.press("escape")
        assert type(stage.app.screen).__name__ == "MenuScreen"


async def test_the_mode_can_be_changed(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.press("ctrl+t")
        await stage.until(lambda: ("search", "link", "semantic") in stage.engine.calls)
        await stage.assert_shown("semantic")


async def test_a_long_notice_of_the_answer_is_shown_whole(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.notice = "The model knows no Korean. " + "Another would help. " * 5

    async with run_app(prepare) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("The model knows no Korean.")
        assert stage.screen_text().count("help.") == 5


async def test_a_query_that_cannot_be_read_is_explained(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.search_fault = QueryError("A closing bracket is missing.", 3)

    async with run_app(prepare) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("A closing bracket is missing.")


async def test_a_note_that_is_gone_is_explained(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.notes = {}

    async with run_app(prepare) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("no longer in the vault")


async def test_a_huge_note_shows_only_a_window(run_app: RunApp) -> None:
    lines = [f"Line {number} of a very long note, with **words** and [[links]]." for number in range(1, 100_001)]

    def prepare(engine: FakeEngine) -> None:
        engine.notes["Huge.md"] = "\n".join(lines)
        engine.hits = (make_hit("Huge.md", start_line=60_000, end_line=60_001),)

    async with run_app(prepare) as stage:
        await type_query(stage, "line")
        await stage.assert_shown("▎ Line 60000 of a very long note")
        preview = stage.app.screen.query_one(Preview)
        assert preview.virtual_size.height < 2_000


async def test_one_line_of_five_megabytes_is_cut(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.notes["Wide.md"] = "[[" * 2_500_000
        engine.hits = (make_hit("Wide.md", start_line=1, end_line=1),)

    async with run_app(prepare) as stage:
        await type_query(stage, "wide")
        await stage.assert_shown("▎ [[[[")


async def test_a_short_screen_shows_the_list_and_the_note_in_turn(run_app: RunApp) -> None:
    async with run_app(size=(40, 12)) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("Linking notes")
        assert "▎" not in stage.screen_text()
        await stage.press("ctrl+o")
        await stage.assert_shown("▎ A block can be any")
        await stage.press("escape")
        await stage.assert_shown("Guides/")


async def test_without_a_pause_in_typing_the_model_is_not_asked(run_app: RunApp) -> None:
    async with run_app() as stage:
        options = stage.app.bridge.options
        assert options is not None
        stage.app.bridge.options = replace(options, ui=UiOptions(search_delay_ms=3_600_000))
        await type_query(stage, "link")
        await stage.assert_shown("Linking notes")
        assert not any(call[-1] == "hybrid" for call in stage.engine.calls)


async def test_coming_back_keeps_the_query(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("escape", "2")
        await stage.assert_shown("3 results")
        assert "link" in stage.screen_text()
        assert NOTES
