"""Search: results as one types, and the note at the passage beside them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.app import SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList

from obsidian_indexer.errors import IndexerError, QueryError
from obsidian_indexer.options import Options
from obsidian_indexer.records import Hit, SearchResult
from obsidian_indexer.sanitize import clean_line
from obsidian_indexer.search.syntax.caret import pointed
from obsidian_indexer.tui.opening import editor_command
from obsidian_indexer.tui.passage import Passage, passage_window
from obsidian_indexer.tui.rows import DIM, fit, spread
from obsidian_indexer.tui.runs import Phase, Warmth
from obsidian_indexer.tui.screens.base import BaseScreen
from obsidian_indexer.tui.screens.why import WhyPanel
from obsidian_indexer.tui.text import breadcrumb, count, line_range, query_terms
from obsidian_indexer.tui.widgets.hit_list import HitList
from obsidian_indexer.tui.widgets.line import Line
from obsidian_indexer.tui.widgets.preview import Preview
from obsidian_indexer.tui.work import start

MODES = ("hybrid", "semantic", "keyword")
# Keys of one quick burst are answered together; shorter than anybody notices.
KEYWORD_DELAY_S = 0.03
PREVIEW_DELAY_S = 0.05
# What follows a notice that is cut to one line.
NOTICE_KEY = "^n more"


@dataclass(frozen=True, slots=True)
class Left:
    """A list that was left for the notes similar to one of its rows, `hit`.

    `similar_to` is what it was similar to, and `hide_linked` whether without the notes linked with that.
    """

    answer: SearchResult
    hit: Hit
    similar_to: Hit | None
    hide_linked: bool


class SearchScreen(BaseScreen):
    """The query above, results to the left or top, the note to the right or below."""

    HEADING = "Search"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "focus_hits", show=False),
        Binding("ctrl+e", "edit", "Edit", priority=True),
        Binding("ctrl+t", "mode", "Mode", priority=True),
        Binding("ctrl+o", "preview", "Preview", priority=True),
        Binding("ctrl+n", "notice", show=False, priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._mode = ""
        self._query = ""
        self._answer: SearchResult | None = None
        self._refining = False
        self._similar_to: Hit | None = None
        self._hide_linked = False
        self._left: list[Left] = []
        self._problem: str | None = None
        self._problem_at: int | None = None
        self._read: Hit | None = None

    def body(self) -> Iterable[Widget]:
        """Query, a line about the answer, then results and note, or a sentence instead of both."""
        yield Input(placeholder="Type to search", id="query", compact=True)
        yield Line(id="answer")
        yield Line(id="notice")
        with Horizontal(id="found"):
            yield HitList(id="hits")
            with Vertical(id="note"):
                yield Line(id="note-place")
                yield Preview(id="preview")
        yield Line(id="advice")

    def opened(self) -> None:
        """Coming back asks again, since the index may have changed; the next letter begins a new query."""
        query = self.query_one("#query", Input)
        query.focus()
        query.select_all()
        if self._query and self._similar_to is None:
            self._ask()

    # ---- asking

    @property
    def mode(self) -> str:
        """The mode in force: the one chosen here, else the setting."""
        options = self.bridge.options
        return self._mode or (options.search.mode if options is not None else MODES[0])

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each keystroke asks."""
        self._query = event.value.strip()
        self._ask()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the query opens the best result."""
        self.action_open()

    def action_mode(self) -> None:
        """The next of hybrid, semantic and keyword."""
        self._mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        self._ask()

    def _ask(self) -> None:
        self._problem = self._problem_at = None
        self._similar_to = None
        self._left.clear()
        if not self._query:
            self.workers.cancel_group(self, "search")
            self._refining = False
            self._take(None)
            return
        self._refining = True
        start(self, partial(self._answer_query, self._query, self.mode), "search")

    async def _answer_query(self, query: str, mode: str) -> None:
        """Keyword hits at once, then, after a pause in typing, the hits of the mode.

        A later keystroke cancels this coroutine, so an answer that comes late is never shown.
        """
        try:
            await asyncio.sleep(KEYWORD_DELAY_S)
            if mode != "semantic":
                self._take(await self.bridge.search_words(query))
            if mode != "keyword":
                options = self.bridge.options
                await asyncio.sleep(options.ui.search_delay_ms / 1000 if options is not None else 0.0)
                self._take(await self.bridge.search(query, mode))
        except IndexerError as error:
            # Words found so far stay on screen; only the refinement failed.
            self._problem = str(error)
            self._problem_at = error.position if isinstance(error, QueryError) else None
        except Exception:
            self._refining = False
            raise
        self._refining = False
        self.tick()

    def _take(self, answer: SearchResult | None, at: Hit | None = None) -> None:
        self._answer = answer
        hits = answer.hits if answer is not None else ()
        terms = query_terms(self._query) if self._similar_to is None else ()
        self.query_one(HitList).show(hits, terms, at)
        self._show_note()
        self.tick()

    # ---- the list

    def on_hit_list_left_at_top(self, event: HitList.LeftAtTop) -> None:
        """Up from the first result leads back to the query."""
        self.action_focus_query()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The note follows the highlighted result."""
        self._show_note()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a result opens it."""
        self.action_open()

    def action_focus_hits(self) -> None:
        """From typing to the results."""
        hits = self.query_one(HitList)
        if hits.has_focus:
            # Two quick presses are both sent to the query, which had the focus when they came.
            hits.action_cursor_down()
        elif hits.hits:
            hits.focus()

    def action_focus_query(self) -> None:
        """Back to typing."""
        self.query_one("#query", Input).focus()

    def action_similar(self) -> None:
        """Notes like the highlighted one."""
        hit = self.query_one(HitList).selected
        if hit is None:
            return
        self._refining = True
        self._problem = self._problem_at = None
        start(self, partial(self._answer_similar, hit), "search")

    def action_hide_linked(self) -> None:
        """Of similar notes, leave out those that are linked with the note, and back."""
        if self._similar_to is not None:
            self._refining = True
            start(self, partial(self._answer_similar, self._similar_to, not self._hide_linked), "search")

    async def _answer_similar(self, hit: Hit, hide_linked: bool = False) -> None:
        try:
            answer = await self.bridge.similar(hit.path, hide_linked=hide_linked)
            if self._answer is not None and hit != self._similar_to:
                self._left.append(Left(self._answer, hit, self._similar_to, self._hide_linked))
            self._similar_to, self._hide_linked = hit, hide_linked
            self._take(answer)
        except IndexerError as error:
            self._problem = str(error)
        except Exception:
            self._refining = False
            raise
        self._refining = False
        self.tick()

    def action_explain(self) -> None:
        """Why the highlighted result was found."""
        hit = self.query_one(HitList).selected
        if hit is not None and self._answer is not None and self._similar_to is None:
            start(self, partial(self._explain, hit, self._query, self._answer.mode), "explain")

    async def _explain(self, hit: Hit, query: str, mode: str) -> None:
        try:
            answer = await self.bridge.explain(query, mode)
        except IndexerError as error:
            self.indexer.say(str(error), severity="error")
            return
        same = [found for found in answer.hits if (found.path, found.start_line) == (hit.path, hit.start_line)]
        if same and same[0].explanation is not None:
            await self.app.push_screen(WhyPanel(hit, same[0].explanation))

    def action_back(self) -> None:
        """From the similar notes to the row they were asked for, from the note alone to the list, else to the menu."""
        if self._left:
            self.workers.cancel_group(self, "search")
            self._refining = False
            self._problem = self._problem_at = None
            left = self._left.pop()
            self._similar_to, self._hide_linked = left.similar_to, left.hide_linked
            self._take(left.answer, left.hit)
        elif self.has_class("-reading"):
            self.action_preview()
        else:
            super().action_back()

    # ---- the note

    def action_preview(self) -> None:
        """Where there is no room for both, show the note instead of the list, and back."""
        self.toggle_class("-reading")
        target: Widget = self.query_one(Preview) if self.has_class("-reading") else self.query_one(HitList)
        target.focus()

    def _show_note(self) -> None:
        hit = self.query_one(HitList).selected
        if hit is None:
            self.workers.cancel_group(self, "note")
            return
        start(self, partial(self._load_note, hit), "note")

    async def _load_note(self, hit: Hit) -> None:
        await asyncio.sleep(PREVIEW_DELAY_S)

        def window(text: str) -> Passage:
            return passage_window(text, hit.start_line, hit.end_line)

        preview = self.query_one(Preview)
        try:
            passage = await self.bridge.read_note(hit.path, window)
        except IndexerError as error:
            preview.show_message(clean_line(str(error)))
            return
        preview.show(passage)
        self._read = hit
        self._draw_place()

    def _draw_place(self) -> None:
        hit = self._read
        if hit is None:
            return
        place = self.query_one("#note-place", Line)
        parts = [clean_line(hit.title), breadcrumb(hit.title, hit.headings)]
        left = Content.styled(" › ".join(part for part in parts if part), "bold")
        noun = "line" if hit.end_line <= hit.start_line else "lines"
        lines = Content.styled(f"{noun} {line_range(hit.start_line, hit.end_line)}", DIM)
        place.show(spread(left, lines, max(1, place.content_size.width)))

    # ---- opening

    def action_open(self) -> None:
        """Open the highlighted result in Obsidian."""
        hit = self.query_one(HitList).selected
        if hit is not None:
            start(self, partial(self._open, hit), "open")

    async def _open(self, hit: Hit) -> None:
        try:
            await self.bridge.outside(lambda: self.indexer.open_link(hit.uri))
        except IndexerError as error:
            self.indexer.say(str(error), severity="error")
        else:
            self.indexer.say("Opened in Obsidian.")

    def action_edit(self) -> None:
        """Open the highlighted result in the editor, at its line, in this terminal."""
        hit = self.query_one(HitList).selected
        options = self.bridge.options
        if hit is not None and options is not None:
            start(self, partial(self._edit, hit, options), "open")

    async def _edit(self, hit: Hit, options: Options) -> None:
        try:
            path = options.vault_path / hit.path
            command = editor_command(options.ui.editor, os.environ, path, hit.start_line)
            # An editor given the name of a note that is gone would begin a new one.
            await self.bridge.check_note(hit.path)
            self.indexer.hand_terminal_to(command)
        except SuspendNotSupported:
            self.indexer.say("This terminal cannot be handed to an editor.", severity="error")
        except IndexerError as error:
            self.indexer.say(str(error), severity="error")
        self._show_note()

    # ---- drawing

    def tick(self) -> None:
        """Draw the line about the answer, or the advice when there is nothing to list."""
        line = self.query_one("#answer", Line)
        line.show(fit(self._answer_line(), max(1, line.content_size.width)))
        self._draw_notice()
        self._draw_place()
        empty = not self.query_one(HitList).hits
        self.set_class(empty, "-empty")
        if empty:
            self.query_one("#advice", Line).show(self._advice())

    def _answer_line(self) -> Content:
        mode = Content.styled(self.mode, "$text-accent")
        answer = self._answer
        if answer is None:
            return mode
        if self._similar_to is not None:
            title = clean_line(self._similar_to.title)
            hidden = Content.styled(", linked hidden" if self._hide_linked else "", DIM)
            mode = Content.assemble(Content.styled("similar to ", DIM), Content.styled(title, "$text-accent"), hidden)
        head = count(len(answer.hits), "note" if self._similar_to is not None else "result")
        parts: list[Content | str] = [mode, Content.styled(f" · {head} · {answer.took_ms:.0f} ms", DIM)]
        if self._refining:
            waiting = "loading the model…" if self.bridge.warmth is Warmth.LOADING else "refining…"
            parts.append(Content.styled(f" · {waiting}", DIM))
        return Content.assemble(*parts)

    def action_notice(self) -> None:
        """The notice whole, or in one line again."""
        self.toggle_class("-whole-notice")
        self.tick()

    def _notice(self) -> str:
        """What the answer, or its lack, wants the reader to know."""
        # What to do before the first index run stands where results would.
        answer = None if self._nothing_indexed() else self._answer
        text = self._problem or (answer.notice if answer is not None else None)
        return clean_line(text or "")

    def _nothing_indexed(self) -> bool:
        bridge = self.bridge
        return bridge.status is not None and not bridge.status.notes and not bridge.indexing

    def _draw_notice(self) -> None:
        line = self.query_one("#notice", Line)
        text = Content.styled(self._notice(), "$text-warning")
        if self._problem is not None and self._problem_at is not None:
            line.show(text.append(Content.styled("\n" + pointed(self._query, self._problem_at), DIM)))
            line.display = True
            return
        # Its own width is 0 while it is hidden; it has the margins of the line above it.
        width = self.query_one("#answer", Line).content_size.width
        if text.cell_length > width and not self.has_class("-whole-notice"):
            text = spread(text, Content.styled(NOTICE_KEY, DIM), max(1, width))
        line.show(text)
        line.display = bool(self._notice())

    def _advice(self) -> Content:
        bridge = self.bridge
        if bridge.phase is Phase.FAILED:
            return Content.styled(bridge.failure or "", "$text-error")
        if bridge.phase is Phase.OPENING:
            return Content.styled("Opening the index…", DIM)
        if self._nothing_indexed():
            return Content("Nothing is indexed yet.\nPress escape, then 1, to index this vault.")
        if not self._query:
            return Content.styled("Type a few words, or a question.\ntag:  path:  file:  narrow the search.", DIM)
        if self._refining:
            return Content.styled("Searching…", DIM)
        if self._problem is not None or self._answer is None:
            return Content("")
        text = f"Nothing found for “{self._query}”.\nFewer words, or ctrl+t for another mode, may help."
        return Content(clean_line(text.partition("\n")[0]) + "\n" + text.partition("\n")[2])
