"""Files into the catalogue: prepared, in several processes if there are many, written, tried again if they fail."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing

from obsidian_indexer.embed.tokens import TextTokenizer, load_tokenizer
from obsidian_indexer.events import EventSink, FailureEvent, Progress
from obsidian_indexer.pace import Pace
from obsidian_indexer.records import Failure
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.sync.boilerplate import Boilerplate
from obsidian_indexer.sync.prepare import Candidate, Prepared, PrepareFailure, Preparer, Recipe, prepare_all
from obsidian_indexer.sync.write import NoteWriter, Tally

_log = logging.getLogger(__name__)


class NoteIntake:
    """Takes in the files of one run."""

    def __init__(
        self,
        recipe: Recipe,
        catalog: Catalog,
        tally: Tally,
        *,
        on_event: EventSink,
        progress: Progress,
        pace: Pace,
        retry_delay_s: float,
    ) -> None:
        self._recipe = recipe
        self._catalog = catalog
        self._tally = tally
        self._on_event = on_event
        self._progress = progress
        self._pace = pace
        self._retry_delay_s = retry_delay_s

    def take(self, candidates: Sequence[Candidate], writer: NoteWriter, boilerplate: Boilerplate) -> None:
        """Prepare and write files, those that fail once more after a while. Raises Cancelled with all written."""
        boilerplate.refresh()
        tokenizer = load_tokenizer(self._recipe.spec)
        failed: list[PrepareFailure] = []
        left = list(candidates)
        while left:
            left = self._take_until_paused(left, writer, boilerplate, tokenizer, failed)
            self._pace.check()
        if failed:
            self._pace.cancel.wait(self._retry_delay_s)
            self._retry(failed, writer, boilerplate, tokenizer)
            writer.flush()

    def _take_until_paused(
        self,
        candidates: Sequence[Candidate],
        writer: NoteWriter,
        boilerplate: Boilerplate,
        tokenizer: TextTokenizer,
        failed: list[PrepareFailure],
    ) -> list[Candidate]:
        """Returns what a pause has left over, for which the worker processes end as well."""
        done: set[str] = set()
        prepared = prepare_all(self._recipe, candidates, tokenizer, boilerplate.keys)
        try:
            with closing(prepared) as outcomes:  # type: ignore[type-var]
                for outcome in outcomes:
                    done.add(outcome.stat.path)
                    self._progress.current_note = outcome.stat.path
                    if isinstance(outcome, PrepareFailure):
                        failed.append(outcome)
                    else:
                        writer.add(outcome)
                        self._note_done()
                    if self._pace.paused:
                        break
                    self._pace.check()
        finally:
            writer.flush()
        return [candidate for candidate in candidates if candidate.stat.path not in done]

    def _retry(
        self,
        failed: Sequence[PrepareFailure],
        writer: NoteWriter,
        boilerplate: Boilerplate,
        tokenizer: TextTokenizer,
    ) -> None:
        """A second try of each; what fails again is listed and the run goes on."""
        here = Preparer(self._recipe, tokenizer)
        for first in failed:
            self._pace.check()
            outcome = here.prepare(Candidate(first.stat), boilerplate.keys())
            self._note_done()
            if isinstance(outcome, Prepared):
                writer.add(outcome)
            elif (self._recipe.root / outcome.stat.path).exists():
                self._fail(Failure(outcome.stat.path, outcome.stage, outcome.reason))

    def _note_done(self) -> None:
        # A note that is cut a second time was counted when it was read first.
        self._progress.notes_done = min(self._progress.notes_done + 1, self._progress.notes_total)

    def _fail(self, failure: Failure) -> None:
        """List a failure and go on."""
        with self._catalog.transaction():
            self._catalog.notes.fail(failure)
        self._tally.failures.append(failure)
        self._progress.failures += 1
        tell_failure(failure, self._on_event)


def tell_failure(failure: Failure, on_event: EventSink) -> None:
    """A failure goes to the log, by path and reason, and to whoever listens."""
    _log.warning("failed: %s (%s): %s", failure.path, failure.stage, failure.reason)
    on_event(FailureEvent(failure))
