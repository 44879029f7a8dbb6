"""A tuning run on one vault: a sample of its text, the engines that can run here, the race, and the conclusion."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial

from obsidian_indexer.embed.bench import Bench, Measured
from obsidian_indexer.embed.build import Builds
from obsidian_indexer.embed.candidates import Field, OutOfBuildTime, find_candidates
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TextTokenizer, load_tokenizer
from obsidian_indexer.embed.workload import Workload, spread
from obsidian_indexer.errors import Cancelled, VaultError
from obsidian_indexer.events import CancelToken, EventSink
from obsidian_indexer.options import Options
from obsidian_indexer.records import FileStat
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.sync.models import sticky_dtype, workload
from obsidian_indexer.sync.prepare import Candidate, Prepared, Preparer, make_recipe
from obsidian_indexer.tuning import Precision, Trial, TuneReport, TuneStep, choose_trial
from obsidian_indexer.vault.scan import scan

_SAMPLED_TEXTS = 4096
# Share of the time for reading notes, where no index holds their passages yet.
_READING_SHARE = 0.1
# An int8 engine of the bundled model takes 15 to 20 s on two cores: with less time than this, none is begun.
_LEAST_BUILD_S = 20.0


class Tuner:
    """One tuning run; only under the writer lock, since it may make engines."""

    def __init__(
        self,
        options: Options,
        spec: ModelSpec,
        catalog: Catalog,
        builds: Builds,
        *,
        seconds: float,
        cancel: CancelToken,
        on_event: EventSink,
        on_step: Callable[[TuneStep], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._spec = spec
        self._catalog = catalog
        self._builds = builds
        self._seconds = seconds
        self._cancel = cancel
        self._on_event = on_event
        self._on_step = on_step
        self._clock = clock
        self._started = clock()
        self._build_s = 0.0
        self._build_began: float | None = None

    def run(self, precision: Precision) -> TuneReport:
        """Measure and conclude; a cancelled run concludes nothing. Raises VaultError when there is no text."""
        embedding = replace(self._options.embedding, dtype="auto", engine="auto")
        index_dtype = sticky_dtype(self._catalog.vectors, self._spec, embedding)
        try:
            measured = self._measure(index_dtype)
        except Cancelled:
            measured = Measured((), 0, 0, True)
        best, reason = (None, "") if measured.cancelled else choose_trial(measured.trials, index_dtype, precision)
        return TuneReport(
            vault=str(self._options.vault_path),
            model=self._spec.name,
            chunks=measured.chunks,
            tokens=measured.tokens,
            seconds=round(self._elapsed(), 2),
            build_seconds=round(self._build_s, 2),
            trials=measured.trials,
            best=best,
            reason=reason,
            index_dtype=index_dtype,
            settings=_settings(best),
            cancelled=measured.cancelled,
        )

    def _measure(self, index_dtype: str | None) -> Measured:
        self._say("reading a sample of the vault")
        tokenizer = load_tokenizer(self._spec)
        texts = self._texts(tokenizer)
        field = self._field(texts)
        bench = Bench(
            field.runners,
            self._spec,
            tokenizer,
            self._options.embedding,
            started=self._started + self._build_s,
            seconds=self._seconds,
            clock=self._clock,
            cancel=self._cancel,
            on_step=self._on_step,
            known=field.absent,
            protected=index_dtype,
        )
        return bench.run(texts)

    def _texts(self, tokenizer: TextTokenizer) -> list[str]:
        """Passages of the vault, longest first and spread over the lengths: of the index, else of some notes."""
        vectors = self._catalog.vectors
        work = workload(vectors, vectors.pending(-1), self._on_event, self._cancel.check, nullcontext)
        texts = work.sample(_SAMPLED_TEXTS) or self._texts_of_notes(tokenizer)
        if not texts:
            raise VaultError(f"The vault {self._options.vault_path} holds no text to measure with.")
        return texts

    def _texts_of_notes(self, tokenizer: TextTokenizer) -> list[str]:
        recipe = make_recipe(self._options, self._spec)
        preparer = Preparer(recipe, tokenizer)
        files = [entry for entry in scan(recipe.root, recipe.vault) if isinstance(entry, FileStat)]
        random.Random(0).shuffle(files)
        texts: dict[str, None] = {}
        for file in files:
            self._cancel.check()
            outcome = preparer.prepare(Candidate(file))
            if isinstance(outcome, Prepared) and outcome.rows is not None:
                texts.update((text, None) for *_, text, _tokens, _key in outcome.rows.chunks)
            late = self._elapsed() > _READING_SHARE * self._seconds
            if len(texts) >= _SAMPLED_TEXTS or (texts and late):
                break
        return sorted(texts, key=len, reverse=True)

    def _field(self, texts: Sequence[str]) -> Field:
        """Who takes part. What must be made is made first, once per model: as long as the measuring may take, and
        apart from it.
        """

        def check() -> None:
            self._cancel.check()
            if self._build_began is not None and self._clock() - self._build_began > self._seconds:
                raise OutOfBuildTime(f"making it took more than {self._seconds:.0f} s: allow more with --seconds")

        work = Workload(0, partial(spread, texts), self._on_event, check, self._building)
        self._say("looking for engines")
        may_build = self._seconds >= _LEAST_BUILD_S
        return find_candidates(self._spec, self._options.embedding, self._builds, work, may_build=may_build)

    @contextmanager
    def _building(self) -> Iterator[None]:
        self._say("making an engine, once per model; its time is not counted")
        self._build_began = began = self._clock()
        try:
            yield
        finally:
            self._build_s += self._clock() - began
            self._build_began = None

    def _elapsed(self) -> float:
        """Seconds of the stated time that are spent."""
        return self._clock() - self._started - self._build_s

    def _say(self, doing: str) -> None:
        self._on_step(TuneStep(doing, self._elapsed(), self._seconds))


def _settings(best: Trial | None) -> dict[str, object]:
    """The values of the `embedding` section that make a trial the rule."""
    if best is None:
        return {}
    if best.engine == "fake":
        return {"token_budget": best.token_budget}
    return {"engine": best.engine, "dtype": best.dtype, "token_budget": best.token_budget}
