"""What the tests of several rooms share: small vaults, engines on the fake model, and the measure of sameness."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.fake import FakeEngine
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.engine import Engine
from obsidian_indexer.events import EventSink, ignore_event
from obsidian_indexer.options import ChunkOptions, EmbedOptions, Options, WatchOptions
from obsidian_indexer.store import schema
from obsidian_indexer.store.catalog import Catalog

HANG_GUARD_S = 60.0
"""No test measures time; a wait that lasts this long is a hang."""


def write_vault(root: Path, notes: Mapping[str, str]) -> Path:
    """A vault of these notes, settings folder included."""
    (root / ".obsidian").mkdir(parents=True, exist_ok=True)
    for path, text in notes.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


def options_for(
    vault: Path, data_dir: Path, *, model: str = "fake", boilerplate_notes: int = 10, **embedding: object
) -> Options:
    """Options with the fake model, no pause before a retry, and a watch that fires fast."""
    chosen = replace(EmbedOptions(model=model, retry_delay_s=0.0), **embedding)  # type: ignore[arg-type]
    chunking = ChunkOptions(boilerplate_notes=boilerplate_notes)
    watch = WatchOptions(quiet_s=0.05, max_wait_s=0.3)
    return Options(vault.resolve(), data_dir.resolve(), chunking=chunking, embedding=chosen, watch=watch)


def open_engine(
    vault: Path,
    data_dir: Path,
    *,
    on_event: EventSink = ignore_event,
    model: str = "fake",
    boilerplate_notes: int = 10,
    **embedding: object,
) -> Engine:
    """An engine on a vault; see `options_for`."""
    options = options_for(vault, data_dir, model=model, boilerplate_notes=boilerplate_notes, **embedding)
    return Engine.open(options, on_event=on_event)


def indexed_content(data_dir: Path) -> set[tuple[str, str]]:
    """(path, key) of every chunk and embedded name that the index holds, each with a vector."""
    with Catalog.open(data_dir) as catalog:
        active = catalog.vectors.active()
        for table in (catalog.vectors, catalog.name_vectors):
            assert not table.count_pending(active.id if active else None), "some texts have no vector"
        return set(
            catalog.connection.execute(
                "SELECT n.path, hex(t.key) "
                "FROM (SELECT note_id, key FROM chunks UNION ALL SELECT note_id, key FROM names) t "
                "JOIN notes n ON n.id = t.note_id WHERE t.key IS NOT NULL"
            )
        )


def forget_names(data_dir: Path) -> None:
    """Make an index one of the layout before names and link texts were kept."""
    with Catalog.open(data_dir) as catalog:
        for table in ("names", "anchors", "anchor_terms", "name_vectors"):
            catalog.connection.execute(f"DROP TABLE {table}")
        for index in ("chunks_place", "chunks_order"):
            catalog.connection.execute(f"DROP INDEX {index}")
        before = schema.MIGRATIONS.index(schema.Migration(schema._NAMES, reparse=True))
        catalog.connection.execute(f"PRAGMA user_version={before}")


def assert_same_as_fresh(vault: Path, data_dir: Path, scratch: Path, *, boilerplate_notes: int = 10) -> None:
    """The index equals one built from nothing."""
    with open_engine(vault, scratch, boilerplate_notes=boilerplate_notes) as engine:
        engine.index()
    assert indexed_content(data_dir) == indexed_content(scratch)


def wait_until(holds: Callable[[], bool]) -> None:
    """Returns once the predicate holds; its limit is only a hang guard."""
    limit = time.monotonic() + HANG_GUARD_S
    while not holds():
        assert time.monotonic() < limit, "waited for ever"
        time.sleep(0.02)


class ScriptedEngine(FakeEngine):
    """The fake engine, counting the texts it is given; `fault` may raise or change the vectors of a batch."""

    def __init__(self, dim: int = 64) -> None:
        super().__init__(dim)
        self.batches: list[list[TokenIds]] = []
        self.fault: Callable[[Sequence[TokenIds], NDArray[np.float32]], NDArray[np.float32]] | None = None

    @property
    def n_texts(self) -> int:
        """Texts seen so far."""
        return sum(len(batch) for batch in self.batches)

    def forward(self, batch: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.batches.append(list(batch))
        vectors = super().forward(batch)
        return vectors if self.fault is None else self.fault(batch, vectors)
