"""The folders that are made for measuring: a vault that is written for the purpose, and an index beside it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from obsidian_indexer.engine import ENGINES
from obsidian_indexer.errors import ConfigError
from obsidian_indexer.store.schema import CATALOG_NAME, prepare_folder

VAULT, INDEX = "vault", "index"
MAPPING = "documents.json"
"""File beside the vault that says which note is which document: path → id."""


def refuse_inside(vault: Path, keep: Path | None) -> None:
    """Raises ConfigError when `keep` lies in the vault: nothing is written there, and a copy would hold itself."""
    if keep is not None and keep.expanduser().resolve().is_relative_to(vault.resolve()):
        raise ConfigError(f"{keep} lies inside the vault {vault}. Name a folder elsewhere with --keep.")


@contextmanager
def place_for(source: Path, keep: Path | None) -> Iterator[Path]:
    """The folder for what is made of `source`: one of its own below `keep`, or a temporary one."""
    if keep is not None:
        resolved = source.resolve()
        digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:8]
        yield keep.expanduser().resolve() / f"{resolved.name}-{digest}"
        return
    with tempfile.TemporaryDirectory(prefix="obsidian-indexer-") as temporary:
        yield Path(temporary).resolve()


def write_vault(notes: Mapping[str, tuple[str, bytes]], place: Path) -> Path:
    """Make `place`/vault hold exactly these notes, path → (id, content), and return it.

    A vault written before is brought up to date, so that equal notes keep their dates. Raises ConfigError when a vault
    stands there that was not written here.
    """
    vault, mapping = place / VAULT, place / MAPPING
    if vault.exists() and not mapping.exists():
        raise ConfigError(f"{vault} was not made by 'evaluate'. Name another folder with --keep.")
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = set(json.loads(mapping.read_text("utf-8"))) if mapping.exists() else set()
    # What was there stays listed until it is gone: a run that is cut short leaves nothing unaccounted for.
    _write_mapping(mapping, dict.fromkeys(before, "") | {path: identity for path, (identity, _) in notes.items()})
    vault.mkdir(exist_ok=True, mode=0o700)
    for path in before - notes.keys():
        (vault / path).unlink(missing_ok=True)
    for path, (_, content) in notes.items():
        note = vault / path
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not note.exists() or note.read_bytes() != content:
            note.write_bytes(content)
    _write_mapping(mapping, {path: identity for path, (identity, _) in notes.items()})
    return vault


def _write_mapping(file: Path, mapping: Mapping[str, str]) -> None:
    file.write_text(json.dumps(mapping), "utf-8")


def borrow_index(source: Path, place: Path) -> None:
    """Begin the index in `place` as a copy of another, so that what that one has embedded is not embedded again.

    The other index is only read; where there is none, or an index was begun before, things stay as they are.
    """
    target = place / INDEX
    if not (source / CATALOG_NAME).exists() or (target / CATALOG_NAME).exists():
        return
    prepare_folder(target)
    unfinished = target / f"{CATALOG_NAME}.copy"
    unfinished.touch(mode=0o600)
    try:
        with (
            closing(sqlite3.connect(f"{(source / CATALOG_NAME).as_uri()}?mode=ro", uri=True)) as theirs,
            closing(sqlite3.connect(unfinished)) as ours,
        ):
            theirs.backup(ours)
            ours.execute("DELETE FROM meta WHERE key = 'vault'")
            ours.commit()
    except sqlite3.Error:
        # A damaged index saves no work, and is no reason not to measure.
        unfinished.unlink()
        return
    if (source / ENGINES).is_dir():
        shutil.copytree(source / ENGINES, target / ENGINES, dirs_exist_ok=True)
    unfinished.rename(target / CATALOG_NAME)
