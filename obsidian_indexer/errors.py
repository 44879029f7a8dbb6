"""Every error the program raises on purpose. Each message says what happened and what to do next.

IndexerError                    exit code 2 unless a surface says otherwise
├── ConfigError                 a setting, file or environment name is wrong
├── VaultError                  the vault is missing, not a folder, or not found from here
├── NoteError                   one note could not be read; the run goes on
├── ModelError                  the model is unknown, unsafe or not on this machine
├── EmbeddingError              a batch could not be embedded; the run goes on
│   └── OutOfMemory             the accelerator ran out of memory; the batch is halved
├── DataDirError                the index folder cannot be written or belongs to another vault
├── LockedError                 another process is writing this index
├── CatalogError                the catalogue is damaged or from a newer version
└── QueryError                  the query cannot be understood; `position` points at the character
Cancelled                       the user stopped the run (not an error)
"""

from __future__ import annotations


class IndexerError(Exception):
    """Root of the tree; its text is meant for the user."""


class ConfigError(IndexerError):
    """A setting is unknown or has a bad value; the text names the source and the key."""


class VaultError(IndexerError):
    """The vault cannot be used."""


class NoteError(IndexerError):
    """One note could not be read or parsed."""


class ModelError(IndexerError):
    """The embedding model cannot be used."""


class EmbeddingError(IndexerError):
    """Texts could not be embedded."""


class OutOfMemory(EmbeddingError):
    """The accelerator ran out of memory on this batch."""


class DataDirError(IndexerError):
    """The index folder cannot be used."""


class LockedError(IndexerError):
    """Another process holds the writer lock."""


class CatalogError(IndexerError):
    """The catalogue cannot be opened as it is."""


class QueryError(IndexerError):
    """The query cannot be understood. `position` is the 0-based index of the character at fault, or None."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class Cancelled(Exception):
    """The user stopped the run; what was done is kept."""
