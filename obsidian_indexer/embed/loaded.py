"""The model that is loaded now: one at a time, kept between runs, shared by indexing and queries."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.errors import ModelError
from obsidian_indexer.events import Event, EventSink
from obsidian_indexer.options import EmbedOptions

# Engines are imported by the first text to be embedded: a search by words is often a process of its own.
if TYPE_CHECKING:
    from obsidian_indexer.embed.batch import Embedder
    from obsidian_indexer.embed.build import Builds
    from obsidian_indexer.embed.engines import Choice


class LoadedModel:
    """Loads a model once, whichever thread asks first; the others wait for it. `engines` is the folder of builds."""

    def __init__(self, options: EmbedOptions, engines: Path) -> None:
        self._options = options
        self._engines = engines
        self._lock = threading.Lock()
        self._embedder: Embedder | None = None
        self._told: set[Event] = set()

    @cached_property
    def _builds(self) -> Builds:
        from obsidian_indexer.embed.build import Builds

        return Builds(self._engines)

    def get(self, spec: ModelSpec, dtype: str | None, work: Workload | None = None) -> Embedder:
        """The model in this number format ('None' leaves it to the device), loaded.

        With `work`, on the engine that serves it best, which is made first where that pays: queries go on meanwhile.
        The format may then be another one, when the wanted engine could not be made. Raises ModelError or Cancelled.
        """
        from obsidian_indexer.embed.batch import Embedder
        from obsidian_indexer.embed.engines import choose, settle

        choice = None
        if work is not None:
            told_once = replace(work, on_event=self._once(work.on_event))
            choice = settle(spec, self._options, self._builds, told_once, dtype=dtype)
        with self._lock:
            if self._embedder is not None:
                if self._serves(self._embedder, spec, dtype, choice):
                    return self._embedder
                self._embedder.engine.close()
                self._embedder = None
            if choice is None:
                choice = choose(spec, self._options, self._builds, dtype=dtype)
            self._embedder = Embedder.load(spec, self._options, self._builds, choice)
            return self._embedder

    def _once(self, sink: EventSink) -> EventSink:
        """Watching asks at every change; what is new the first time is noise the second."""

        def tell(event: Event) -> None:
            if event not in self._told:
                self._told.add(event)
                sink(event)

        return tell

    def _serves(self, loaded: Embedder, spec: ModelSpec, dtype: str | None, choice: Choice | None) -> bool:
        if loaded.spec.identity != spec.identity:
            return False
        return dtype in (None, loaded.engine.dtype) if choice is None else choice.is_met_by(loaded.engine)

    def can_answer(self, spec: ModelSpec, dtype: str) -> bool:
        """Whether queries can be embedded in this number format with what is on disk."""
        from obsidian_indexer.embed.engines import choose

        if dtype != "int8":  # torch computes every other one
            return True
        try:
            choose(spec, self._options, self._builds, dtype=dtype)
        except ModelError:
            return False
        return True

    def preload(self, spec: ModelSpec, dtype: str | None, n_tokens: int) -> None:
        """Load in the background what a run of about so many tokens will need, if it need not be made first.

        Errors wait for whoever calls `get`.
        """

        def load() -> None:
            from obsidian_indexer.embed.batch import Embedder
            from obsidian_indexer.embed.engines import choose

            try:
                choice = choose(spec, self._options, self._builds, dtype=dtype, work=Workload(n_tokens))
                if not choice.make:
                    with self._lock:
                        if self._embedder is None:
                            self._embedder = Embedder.load(spec, self._options, self._builds, choice)
            except ModelError:
                return

        threading.Thread(target=load, name="load-model", daemon=True).start()

    def now(self) -> Embedder | None:
        """The loaded model, if any."""
        return self._embedder

    def close(self) -> None:
        """Give its memory back."""
        with self._lock:
            if self._embedder is not None:
                self._embedder.engine.close()
            self._embedder = None
