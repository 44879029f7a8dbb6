"""The search screen: answers as one types, the note beside them, opening elsewhere."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from obsidian_indexer.errors import QueryError
from obsidian_indexer.options import UiOptions
from obsidian_indexer.tui.opening import OpenError, run_editor
from obsidian_indexer.tui.widgets.hit_list import HitList
from obsidian_indexer.tui.widgets.preview import Preview
from tests.tui.conftest import RunApp, Stage
from tests.tui.fake_engine import FakeEngine, make_hit


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


@pytest.mark.parametrize(
    ("editor", "said"),
    [
        ("false", "ended with exit code 1"),
        ("/nowhere/editor", "could not be started"),
        ("sh -c 'kill $$'", "stopped by signal 15"),
    ],
)
async def test_an_editor_that_fails_leaves_the_app_alive(
    run_app: RunApp, monkeypatch: pytest.MonkeyPatch, editor: str, said: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    async with run_app() as stage:
        driver = type(stage.app._driver)
        given_back: list[bool] = []
        monkeypatch.setattr(driver, "can_suspend", True)
        monkeypatch.setattr(driver, "resume_application_mode", lambda self: given_back.append(True))
        stage.app.edit_file = run_editor
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("ctrl+e")
        await stage.assert_said(said)
        assert given_back == [True]
        await stage.press(*"x")
        await stage.until(lambda: ("search", "linkx", "keyword") in stage.engine.calls)


async def test_a_fault_in_the_editor_s_call_is_a_panel(run_app: RunApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "vi")
    async with run_app() as stage:
        monkeypatch.setattr(type(stage.app._driver), "can_suspend", True)

        def fail(command: list[str]) -> None:
            raise ValueError("embedded null byte")

        stage.app.edit_file = fail
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("ctrl+e")
        await stage.assert_shown("ValueError: embedded null byte")


async def test_the_editor_is_not_opened_on_a_note_that_is_gone(
    run_app: RunApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "vi")
    async with run_app() as stage:
        monkeypatch.setattr(type(stage.app._driver), "can_suspend", True)
        await type_query(stage, "link")
        await stage.assert_shown("▎ A block can be any paragraph")
        stage.engine.notes.clear()
        await stage.press("ctrl+e")
        await stage.assert_shown("no longer in the vault")
        assert stage.edited == []


async def test_e_in_the_query_is_a_letter(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "see")
        assert stage.edited == []
        await stage.until(lambda: ("search", "see", "keyword") in stage.engine.calls)


async def test_a_result_says_why_it_was_found(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("down", "x")
        await stage.assert_shown("keyword   rank 2")
        await stage.assert_shown("score 1.000  weight 0.60  cosine 0.710")
        await stage.assert_shown("[link] 1.25 · block 2.50 in the note")
        await stage.press("escape")
        await stage.until(lambda: "rank 2" not in stage.screen_text())
        assert selected(stage) == "Guides/Linking notes.md"


async def test_linked_notes_are_hidden_and_shown_again(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("down", "s")
        await stage.assert_shown("similar to Linking notes · 2 notes")
        await stage.press("h")
        await stage.assert_shown("similar to Linking notes, linked hidden · 1 note")
        await stage.press("h")
        await stage.assert_shown("similar to Linking notes · 2 notes")
        await stage.press("h")
        await stage.assert_shown("linked hidden")
        await stage.press("escape")
        await stage.assert_shown("3 results")


async def test_similar_notes_and_back(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("down", "down", "s")
        await stage.assert_shown("similar to 블록에 링크하기 · 2 notes")
        assert "hybrid" not in stage.screen_text()
        assert ("similar", "한국어/블록에 링크하기.md") in stage.engine.calls
        await stage.press("s")
        await stage.assert_shown("similar to Linking notes · 2 notes")
        await stage.press("escape")
        await stage.assert_shown("similar to 블록에 링크하기 · 2 notes")
        assert selected(stage) == "Guides/Linking notes.md"
        await stage.press("escape")
        await stage.assert_shown("3 results")
        assert selected(stage) == "한국어/블록에 링크하기.md"
        await stage.assert_shown("▎ 1. 문단 끝에")
        await stage.press("escape")
        assert type(stage.app.screen).__name__ == "MenuScreen"


async def test_the_mode_can_be_changed(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.press("ctrl+t")
        await stage.until(lambda: ("search", "link", "semantic") in stage.engine.calls)
        await stage.assert_shown("semantic")


async def test_a_long_notice_takes_one_line_and_is_whole_on_request(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.notice = "The model knows no Korean. " + "Another would help. " * 5

    async with run_app(prepare) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("The model knows no Korean.")
        assert stage.screen_text().count("help.") < 5
        assert sum("help." in line for line in stage.screen_text().splitlines()) == 1
        await stage.assert_shown("^n more")
        await stage.press("ctrl+n")
        await stage.until(lambda: stage.screen_text().count("help.") == 5)
        await stage.press("ctrl+n")
        await stage.until(lambda: stage.screen_text().count("help.") < 5)


async def test_the_key_for_a_long_notice_is_named_only_then(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.notice = "Short."

    async with run_app(prepare) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("Short.")
        assert "^n" not in stage.screen_text()


async def test_the_key_help_of_the_list_names_the_editor_once(run_app: RunApp) -> None:
    async with run_app(size=(80, 24)) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("down")
        await stage.assert_shown("⏎ Open")
        keys = stage.screen_text().splitlines()[-1]
        assert keys.count("Edit") == 1
        assert "^o Preview" in keys
        assert "^p Commands" in keys


async def test_the_lines_of_the_preview_agree_in_number(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("lines 14–15")
        await stage.press("down", "down", "down")
        await stage.assert_shown("line 3")


async def test_a_query_that_cannot_be_read_is_explained(run_app: RunApp) -> None:
    def prepare(engine: FakeEngine) -> None:
        engine.search_fault = QueryError("A closing bracket is missing.", 3)

    async with run_app(prepare) as stage:
        await type_query(stage, "link")
        await stage.assert_shown("A closing bracket is missing.")
        shown = [line.rstrip() for line in stage.screen_text().splitlines()]
        caret = next(number for number, line in enumerate(shown) if line.strip() == "^")
        assert shown[caret - 1].strip() == "link"
        assert shown[caret].index("^") == shown[caret - 1].index("k")


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
        await stage.press("down", "escape", "2")
        await stage.assert_shown("3 results")
        assert "link" in stage.screen_text()
        await stage.press("right", *"s")
        await stage.until(lambda: ("search", "links", "keyword") in stage.engine.calls)


async def test_typing_after_coming_back_begins_a_new_query(run_app: RunApp) -> None:
    async with run_app() as stage:
        await type_query(stage, "link")
        await stage.assert_shown("3 results")
        await stage.press("down", "escape", "2")
        await stage.press(*"walk")
        await stage.until(lambda: ("search", "walk", "hybrid") in stage.engine.calls)
        assert not any("linkw" in str(call) for call in stage.engine.calls)
