"""The catalogue's file: how it is opened, laid out and brought up to date.

One SQLite database in WAL mode holds everything that is known of the vault. `migrations` are numbered; each says
whether notes must be parsed again after it. A file from a newer version is refused, never changed.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from obsidian_indexer.errors import CatalogError, DataDirError

CATALOG_NAME = "catalog.sqlite3"

_INITIAL = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE notes(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL UNIQUE,          -- as on disk; a BLOB where the name is not UTF-8
  mtime_ns INTEGER NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  read_ns INTEGER NOT NULL,           -- when the file was read, to catch an edit within one tick of the clock
  chunker TEXT NOT NULL,              -- version and limits that made the chunks
  title TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,                -- indexed | empty | ignored | failed
  reason TEXT,
  aliases TEXT NOT NULL DEFAULT '[]',
  tags TEXT NOT NULL DEFAULT '[]',
  properties TEXT NOT NULL DEFAULT '{}',
  headings TEXT NOT NULL DEFAULT '[]',
  warnings TEXT NOT NULL DEFAULT '[]',
  date TEXT
);
CREATE INDEX notes_sha ON notes(sha256);
CREATE TABLE tags(note_id INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE, tag TEXT NOT NULL);
CREATE INDEX tags_note ON tags(note_id);
CREATE INDEX tags_tag ON tags(tag);
CREATE TABLE links(
  note_id INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
  target TEXT NOT NULL, name_key TEXT NOT NULL, heading TEXT, block TEXT, display TEXT,
  embed INTEGER NOT NULL, line INTEGER NOT NULL,
  property TEXT                       -- of a link in the front matter
);
CREATE INDEX links_note ON links(note_id);
CREATE INDEX links_name ON links(name_key);
CREATE TABLE chunks(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  note_id INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  headings TEXT NOT NULL,
  start_line INTEGER NOT NULL,
  end_line INTEGER NOT NULL,
  text TEXT NOT NULL,
  embedded_text TEXT NOT NULL,
  n_tokens INTEGER NOT NULL,
  key BLOB NOT NULL
);
CREATE INDEX chunks_note ON chunks(note_id);
CREATE INDEX chunks_key ON chunks(key, n_tokens);
CREATE TABLE models(
  id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, name TEXT NOT NULL, dim INTEGER NOT NULL,
  identity TEXT NOT NULL, dtype TEXT NOT NULL,
  source TEXT NOT NULL                -- what names it in the settings
);
CREATE TABLE vectors(
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
  key BLOB NOT NULL,
  vector BLOB NOT NULL,               -- float16[dim], unit length
  stored INTEGER NOT NULL DEFAULT 0,  -- 1 once the vector store has it
  UNIQUE(model_id, key)
);
CREATE INDEX vectors_unstored ON vectors(model_id, stored, key);
CREATE TABLE failures(
  path TEXT NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL,
  key BLOB,                           -- the chunk, for a failure to embed
  model_id INTEGER REFERENCES models(id) ON DELETE CASCADE
);
CREATE INDEX failures_key ON failures(model_id, key);
CREATE TABLE note_blocks(
  note_id INTEGER PRIMARY KEY REFERENCES notes(id) ON DELETE CASCADE,
  keys BLOB NOT NULL,                 -- int64 keys of the note's blocks
  left_out BLOB NOT NULL              -- those of them that were not embedded
);
CREATE TABLE block_counts(key INTEGER PRIMARY KEY, notes INTEGER NOT NULL);
CREATE INDEX block_counts_shared ON block_counts(notes) WHERE notes > 1;
CREATE VIRTUAL TABLE chunk_terms USING fts5(
  headings, body, content='', tokenize="porter ascii");
CREATE VIRTUAL TABLE note_terms USING fts5(
  title, aliases, headings, tags, path, body, content='', detail=column,
  tokenize="porter ascii");
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step; `reparse` says that notes must be parsed again after it."""

    sql: str
    reparse: bool = False


_EXACT_FILTERS = """
ALTER TABLE notes ADD COLUMN folded_path TEXT NOT NULL DEFAULT '';  -- as filters compare it
ALTER TABLE notes ADD COLUMN folded_name TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN created TEXT;        -- what the note says itself, ISO 8601
ALTER TABLE notes ADD COLUMN born_ns INTEGER;     -- when the file was made, where the system knows
-- Filters by name and date are answered from this index alone; a row is long.
CREATE INDEX notes_filters ON notes(folded_path, folded_name, mtime_ns, created, born_ns) WHERE state <> 'ignored';
CREATE TABLE property_names(note_id INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE, name TEXT NOT NULL);
CREATE INDEX property_names_note ON property_names(note_id);
CREATE INDEX property_names_name ON property_names(name);
CREATE TABLE sources(
  note_id INTEGER PRIMARY KEY REFERENCES notes(id) ON DELETE CASCADE,
  text TEXT NOT NULL,                 -- as written, NFC, lines as in the file
  blocks TEXT NOT NULL,               -- first and last line of each block, one list of numbers
  tasks TEXT NOT NULL                 -- [first line, last line, status] of each task
);
CREATE TABLE attachments(
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,          -- as on disk; a BLOB where the name is not UTF-8
  folded_path TEXT NOT NULL, folded_name TEXT NOT NULL, mtime_ns INTEGER NOT NULL
);
"""

# A table without text and without positions counts no term, and bm25() is 0 for every row of it.
_COUNTED_NOTE_TERMS = """
DROP TABLE note_terms;
CREATE VIRTUAL TABLE note_terms USING fts5(
  title, aliases, headings, tags, path, body, content='', tokenize="porter ascii");
DELETE FROM meta WHERE key = 'terms_version';
"""

# Words as written, each once a note: the other tables hold stems.
_WORDS = """
CREATE VIRTUAL TABLE note_words USING fts5(words, content='', columnsize=0, detail=none, tokenize="ascii");
CREATE VIRTUAL TABLE word_counts USING fts5vocab(note_words, row);
DELETE FROM meta WHERE key = 'terms_version';
"""

# Which note holds which text is read for every chunk at once: the index alone answers it, a row is long.
_TEXTS_OF_NOTES = """
DROP INDEX chunks_note;
CREATE INDEX chunks_note ON chunks(note_id, key);
"""

_NAMES = """
CREATE TABLE names(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  note_id INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
  folded TEXT NOT NULL,               -- as queries are compared with it
  text TEXT NOT NULL,
  kind TEXT NOT NULL                  -- title, alias …
);
CREATE INDEX names_note ON names(note_id);
CREATE INDEX names_folded ON names(folded);
"""

# What links call the notes they lead to. Where they lead is looked up when it is asked for.
_ANCHORS = """
CREATE TABLE anchors(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  note_id INTEGER NOT NULL REFERENCES notes(id) ON DELETE CASCADE,
  target TEXT NOT NULL,
  text TEXT NOT NULL
);
CREATE INDEX anchors_note ON anchors(note_id);
CREATE VIRTUAL TABLE anchor_terms USING fts5(text, content='', tokenize="porter ascii");
"""

# Of passages there is a store besides, filled from `vectors`; names are too few for it.
_NAME_VECTORS = """
ALTER TABLE names ADD COLUMN key BLOB;  -- none of a name that is not embedded
ALTER TABLE names ADD COLUMN n_tokens INTEGER NOT NULL DEFAULT 0;
CREATE INDEX names_key ON names(key, n_tokens, note_id) WHERE key IS NOT NULL;
CREATE TABLE name_vectors(
  id INTEGER PRIMARY KEY,
  model_id INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
  key BLOB NOT NULL,
  vector BLOB NOT NULL,               -- float16[dim], unit length
  UNIQUE(model_id, key)
);
"""

# The whole of a note is weighed by the length of its texts, read for every chunk at once too.
_LENGTHS_OF_TEXTS = """
DROP INDEX chunks_note;
CREATE INDEX chunks_note ON chunks(note_id, key, n_tokens);
"""

# Each search asks for the notes of hundreds of passages and the first passages of a hundred notes: the indexes alone
# answer in a fifth of the time, as a row is long and mostly on a page of its own. `id` has to be asked for by the
# index's name: SQLite takes the row for nearer.
_PLACES = """
CREATE INDEX chunks_place ON chunks(id, note_id);
CREATE INDEX chunks_order ON chunks(note_id, seq);
"""

MIGRATIONS: tuple[Migration, ...] = (
    Migration(_INITIAL),
    Migration(_EXACT_FILTERS, reparse=True),
    Migration(_COUNTED_NOTE_TERMS),
    Migration(_WORDS),
    Migration(_TEXTS_OF_NOTES),
    Migration(_NAMES, reparse=True),
    Migration(_ANCHORS, reparse=True),
    Migration(_NAME_VECTORS, reparse=True),
    Migration(_LENGTHS_OF_TEXTS),
    Migration(_PLACES),
)


def prepare_folder(data_dir: Path) -> None:
    """Create the index folder, readable by its owner only. Raises DataDirError when it cannot be written."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        data_dir.chmod(0o700)
    except (FileExistsError, NotADirectoryError) as error:
        raise DataDirError(f"{data_dir} is not a folder. Choose another with --data-dir.") from error
    except OSError as error:
        raise DataDirError(
            f"The index folder {data_dir} cannot be made ({error.strerror}). Choose another with --data-dir."
        ) from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise DataDirError(f"The index folder {data_dir} cannot be written. Choose another with --data-dir.")


def connect(data_dir: Path) -> sqlite3.Connection:
    """Open the catalogue of an index folder, creating or migrating it.

    Raises CatalogError when the file is damaged or newer, DataDirError when it cannot be written.
    """
    path = data_dir / CATALOG_NAME
    try:
        if not path.exists():
            path.touch(mode=0o600)
        # Each thread opens its own connection; the check is off so that `close` may come from another thread.
        connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA cache_size=-65536")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        _migrate(connection)
    except PermissionError as error:
        raise DataDirError(f"{path} cannot be written ({error.strerror}). Choose another with --data-dir.") from error
    except sqlite3.OperationalError as error:
        raise DataDirError(f"The catalogue {path} cannot be opened ({error}).") from error
    except sqlite3.DatabaseError as error:
        raise CatalogError(
            f"The catalogue {path} is damaged ({error}). Move the index folder away and run 'index' to build it anew."
        ) from error
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise CatalogError(
            f"This index was made by a newer version of the program (layout {version}, this one knows "
            f"{len(MIGRATIONS)}). Update the program, or choose another folder with --data-dir."
        )
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the lock.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in MIGRATIONS[version:]:
            for statement in _statements(step.sql):
                connection.execute(statement)
            if step.reparse:
                connection.execute("UPDATE notes SET chunker = ''")
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """A script cut into statements (`executescript` would commit between them)."""
    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements
