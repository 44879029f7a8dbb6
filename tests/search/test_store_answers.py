"""A search that the vector store answers, which may lag behind the catalogue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from obsidian_indexer.engine import Engine
from obsidian_indexer.store.ann import AnnIndex
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.vectors import StoredModel
from tests.kit import options_for, write_vault


class LaggingStore(AnnIndex):
    """Names a passage that is there, and a nearer one that the catalogue does not know."""

    def __init__(self, model: StoredModel, there: int) -> None:
        self.model = model
        self._there = there

    def nearest_chunks(self, catalog: Catalog, vector: NDArray[np.float32], k: int) -> dict[int, float]:
        return {self._there + 1000: 0.9, self._there: 0.5}


def test_a_passage_that_only_the_store_knows_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = write_vault(tmp_path / "vault", {"Tea.md": "Green leaves.\n", "Paper.md": "White sheets.\n"})
    options = options_for(vault, tmp_path / "index")
    with Engine.open(replace(options, search=replace(options.search, exact_below=0))) as engine:
        engine.index()
        with Catalog.open(options.data_dir) as catalog:
            model = catalog.vectors.active()
            assert model is not None
            (tea,) = catalog.connection.execute(
                "SELECT c.id FROM chunks c JOIN notes n ON n.id = c.note_id WHERE n.path = 'Tea.md'"
            ).fetchone()
        monkeypatch.setattr(AnnIndex, "open", lambda *_: LaggingStore(model, tea))
        engine.ann(model)
        hits = engine.search("white sheets", mode="semantic").hits
        assert [(hit.path, hit.similarity) for hit in hits if hit.semantic_rank] == [("Tea.md", 0.5)]
