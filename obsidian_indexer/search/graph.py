"""The vault as a graph: links of the catalogue, resolved against the files that are there now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from obsidian_indexer.records import VaultLink
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.note_rows import name_key
from obsidian_indexer.store.rows import path_from_row
from obsidian_indexer.vault.links import LinkIndex

_SUFFIX = ".md"


def linked_notes(catalog: Catalog, path: str) -> frozenset[int]:
    """The ids of the notes that a note links to or that link to it."""
    note_of = {path_from_row(row): note_id for note_id, row in catalog.connection.execute("SELECT id, path FROM notes")}
    graph = LinkGraph(catalog, note_of)
    ends = {link.resolved for link in graph.outgoing(path)} | {link.source for link in graph.backlinks(path)}
    return frozenset(note_of[end] for end in ends if end in note_of and end != path)


def notes_linked(catalog: Catalog, links: Sequence[tuple[str, str]]) -> list[int | None]:
    """The id of the note that each link (target, path of the note it stands in) leads to; only notes are looked at."""
    names = {target.rpartition("/")[2] for target, _ in links}
    note_of = catalog.names.files(names | {name.rpartition(".")[0] for name in names})
    index = LinkIndex(note_of)
    ends = [index.resolve(target, source) for target, source in links]
    return [
        None if end is None or end == source else note_of.get(end) for end, (_, source) in zip(ends, links, strict=True)
    ]


class LinkGraph:
    """Links between files. `files` are the paths of all that a link may lead to: notes, ignored or not, and others."""

    def __init__(self, catalog: Catalog, files: Iterable[str]) -> None:
        self._links = catalog.links
        self._files = list(files)

    def backlinks(self, path: str) -> list[VaultLink]:
        """The links in other notes that lead to a file, by source and line."""
        name = name_key(path)
        found = self._links.by_name(list({name, name.removesuffix(_SUFFIX)}))
        resolved = self._resolve([link for link in found if link.source != path])
        return [link for link in resolved if link.resolved == path]

    def outgoing(self, path: str) -> list[VaultLink]:
        """The links in a note, those of its properties first, each in order; unresolved ones too."""
        return self._resolve(self._links.of_note(path))

    def unresolved(self) -> list[VaultLink]:
        """Every link of the vault that leads nowhere, by source and line."""
        index = LinkIndex(self._files)
        return [link for link in self._links.all() if index.resolve(link.target, link.source) is None]

    def _resolve(self, links: list[VaultLink]) -> list[VaultLink]:
        """The same links with where they lead. Only files of a name that is asked for can matter."""
        names = {name_key(link.target) for link in links}
        names |= {name + _SUFFIX for name in names}
        index = LinkIndex(file for file in self._files if name_key(file) in names)
        return [replace(link, resolved=index.resolve(link.target, link.source)) for link in links]
