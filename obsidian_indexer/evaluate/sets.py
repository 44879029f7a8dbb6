"""A judged collection (a folder as BEIR lays it out), and the vault of notes that it becomes.

FOLDER/corpus.jsonl   {"_id", "title", "text"} per line
FOLDER/queries.jsonl  {"_id", "text"} per line
FOLDER/qrels.tsv      query id, document id, score; a first line of names is passed over (or qrels/test.tsv)
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from obsidian_indexer.errors import ConfigError

NOTE_SUFFIX = ".md"
_LONGEST_NAME = 80
_QRELS = ("qrels.tsv", "qrels/test.tsv")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a collection; `title` may be empty."""

    title: str
    text: str

    @property
    def as_note(self) -> str:
        """The document as a person would keep it: its title as the first heading, then its text."""
        # A note that begins with '---' would open a front matter.
        return f"# {self.title}\n\n{self.text}\n" if self.title else f"\n{self.text}\n"


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Documents and judged queries by id; `judged` maps query → document → gain and holds queries with an answer."""

    name: str
    documents: Mapping[str, Document]
    queries: Mapping[str, str]
    judged: Mapping[str, Mapping[str, int]]


def read_set(folder: Path) -> JudgedSet:
    """Read a collection. Raises ConfigError that names the file, and the line at fault."""
    corpus = {str(row["_id"]): row for row in _rows(folder / "corpus.jsonl")}
    judged = _read_judgements(folder)
    queries = {str(row["_id"]): str(row["text"]) for row in _rows(folder / "queries.jsonl")}
    queries = {identity: text for identity, text in queries.items() if identity in judged}
    if not queries:
        raise ConfigError(f"{folder} judges none of its queries: there is nothing to measure.")
    return JudgedSet(
        name=folder.resolve().name,
        documents={
            identity: Document(" ".join(str(row.get("title") or "").split()), str(row["text"]))
            for identity, row in corpus.items()
        },
        queries=queries,
        judged={identity: judged[identity] for identity in queries},
    )


def _rows(file: Path) -> Iterator[dict[str, object]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _row(line, f"{file}, line {number}")
    except OSError as error:
        raise _unreadable(file, error) from error


def _row(line: str, place: str) -> dict[str, object]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{place}: this is not JSON ({error}).") from error
    if not isinstance(row, dict) or "_id" not in row or "text" not in row:
        raise ConfigError(f'{place}: expected {{"_id": …, "text": …}}.')
    return row


def _read_judgements(folder: Path) -> dict[str, dict[str, int]]:
    """Query → document → gain, for queries that at least one document answers."""
    file = next((folder / name for name in _QRELS if (folder / name).is_file()), folder / _QRELS[0])
    judged: dict[str, dict[str, int]] = {}
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                if len(row) >= 3 and row[-1].strip().lstrip("-").isdigit():
                    judged.setdefault(row[0], {})[row[-2]] = int(row[-1])
    except OSError as error:
        raise _unreadable(file, error) from error
    return {query: gains for query, gains in judged.items() if any(gain > 0 for gain in gains.values())}


def _unreadable(file: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{file} cannot be read ({error.strerror}). A collection is a folder with corpus.jsonl, queries.jsonl and "
        "qrels.tsv."
    )


def note_names(documents: Mapping[str, Document]) -> dict[str, str]:
    """Document id → file name: the id as any file system can hold it, unlike every other one also without case."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for identity in documents:
        stem = re.sub(r"[^\w.-]+", "-", identity).strip("-.")[:_LONGEST_NAME] or "document"
        name, again = stem, 1
        while name.casefold() in taken:
            again += 1
            name = f"{stem}-{again}"
        taken.add(name.casefold())
        names[identity] = name + NOTE_SUFFIX
    return names


def as_notes(documents: Mapping[str, Document]) -> dict[str, tuple[str, bytes]]:
    """The vault that the documents become: file name → (document id, content)."""
    names = note_names(documents)
    return {
        names[identity]: (identity, document.as_note.encode("utf-8", "replace"))
        for identity, document in documents.items()
    }
