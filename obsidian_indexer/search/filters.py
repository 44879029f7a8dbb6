"""Conditions to the notes that meet them, looked up exactly in the catalogue.

Names, tags, properties and dates are answered by SQLite from its indexes. Text is looked at last, of the notes that
everything else left, and only of those that SQLite finds the needed words in.
"""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from obsidian_indexer.search.properties import name_holds, value_holds
from obsidian_indexer.search.scope import Scope
from obsidian_indexer.search.segments import Clock, Segments, Source, needed_words, says
from obsidian_indexer.search.syntax.tree import (
    All,
    Case,
    Compared,
    Dated,
    DateOf,
    In,
    Node,
    Not,
    Pattern,
    Phrase,
    Place,
    Property,
    Some,
    Word,
    walk,
)
from obsidian_indexer.store.rows import fold, path_from_row
from obsidian_indexer.store.source_rows import Lines

_NAMES = frozenset({Place.FILE, Place.PATH, Place.EXT})
_TASKS = frozenset({Place.TASK, Place.TASK_TODO, Place.TASK_DONE})
_OF_FILE = frozenset({"markdown", "kanban", "template"})
_CREATED_NS = "min(coalesce(born_ns, mtime_ns), mtime_ns)"

Ids = set[int]
"""Notes by their id, attachments by the negative of theirs."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What meets a query's condition: where the legs may look, and attachments, which only have a name."""

    scope: Scope
    attachment_ids: Sequence[int] = ()


def select(connection: sqlite3.Connection, condition: Node | None) -> Selection:
    """What meets a condition. Raises QueryError when a pattern takes too long."""
    if condition is None:
        return Selection(Scope())
    evaluation = _Evaluation(connection, with_attachments=_asks_for_names(condition))
    ids = evaluation.ids(condition, None)
    note_ids = sorted(row_id for row_id in ids if row_id > 0)
    attachments = sorted(-row_id for row_id in ids if row_id < 0)
    places = {note_id: found for note_id, found in evaluation.places.items() if found and note_id in ids}
    chunk_ids = _chunks_at(connection, note_ids, places) if places else None
    return Selection(Scope(note_ids, chunk_ids), attachments)


def _asks_for_names(node: Node) -> bool:
    """Whether a condition asks, other than with a minus, for a file's name: then any file of the vault may answer."""
    match node:
        case In(place, _):
            return place in _NAMES
        case All(parts) | Some(parts):
            return any(_asks_for_names(part) for part in parts)
        case Case(_, part):
            return _asks_for_names(part)
        case _:
            return False


class _Evaluation:
    """One condition being looked up. `places` are the lines of each note that hold what was asked for."""

    def __init__(self, connection: sqlite3.Connection, *, with_attachments: bool) -> None:
        self.places: dict[int, list[Lines]] = {}
        self._db = connection
        self._with_attachments = with_attachments
        self._clock = Clock()
        self._every: Ids | None = None
        self._met: dict[Node, Ids] = {}

    def ids(self, node: Node, within: Ids | None, *, cased: bool = False, wanted: bool = True) -> Ids:
        """What meets a condition, of `within` (None: of everything); `wanted` is False below a minus."""
        match node:
            case All(parts):
                for part in sorted(parts, key=_cost):
                    within = self.ids(part, within, cased=cased, wanted=wanted)
                    if not within:
                        return within
                return self._everything() if within is None else within
            case Some(parts):
                return set[int]().union(*(self.ids(part, within, cased=cased, wanted=wanted) for part in parts))
            case Not(part):
                base = self._everything() if within is None else within
                return base - self.ids(part, base, cased=cased, wanted=False)
            case Case(matters, part):
                return self.ids(part, within, cased=matters, wanted=wanted)
            case _:
                found = self._leaf(node, within, cased=cased, wanted=wanted)
                return found if within is None else found & within

    def _leaf(self, node: Node, within: Ids | None, *, cased: bool, wanted: bool) -> Ids:
        match node:
            case In(place, part) if place in _NAMES:
                return self._combined(part, lambda leaf, matters: self._named(place, leaf, matters), cased)
            case In(Place.TAG, part):
                return self._combined(part, lambda leaf, _: self._tagged(leaf), cased)
            case Property(name, value):
                return self._with_property(name, value, cased=cased)
            case Dated():
                return self._dated(node)
            case _:
                return self._texts(node, within, cased=cased, wanted=wanted)

    def _everything(self) -> Ids:
        if self._every is None:
            # One value in place of a row for each note: half the time.
            ids = self._db.execute("SELECT json_group_array(id) FROM notes WHERE state <> 'ignored'").fetchone()[0]
            self._every = set(json.loads(ids))
            if self._with_attachments:
                self._every |= self._column("SELECT -id FROM attachments")
        return self._every

    def _column(self, sql: str, values: Iterable[object] = ()) -> Ids:
        return {row[0] for row in self._db.execute(sql, tuple(values))}

    def _combined(self, node: Node, leaf: Callable[[Node, bool], Ids], cased: bool) -> Ids:
        """What an operator's value asks for, each leaf looked up by `leaf`, which is told whether case counts."""
        match node:
            case All(parts):
                return set.intersection(*(self._combined(part, leaf, cased) for part in parts))
            case Some(parts):
                return set[int]().union(*(self._combined(part, leaf, cased) for part in parts))
            case Not(part):
                return self._everything() - self._combined(part, leaf, cased)
            case Case(matters, part):
                return self._combined(part, leaf, matters)
            case Word() | Phrase() | Pattern():
                return leaf(node, cased)
            case _:
                return self.ids(node, None, cased=cased, wanted=False)

    # ---- names, tags, properties, dates

    def _named(self, place: Place, leaf: Node, cased: bool) -> Ids:
        match leaf:
            case Word(text, _) | Phrase(text, _):
                return self._with_name(place, text, cased=cased)
            case Pattern():
                names = self._paths("1", ()).items()
                return {row_id for row_id, path in names if self._clock.finds(leaf, _part(place, path), cased=cased)}
            case _:
                return set()

    def _with_name(self, place: Place, text: str, *, cased: bool) -> Ids:
        folded = fold(text)
        column = "folded_path" if place is Place.PATH else "folded_name"
        test, value = f"instr({column}, ?) > 0", folded
        if place is Place.EXT:
            value = f".{folded.removeprefix('.')}"
            test = f"substr({column}, -{len(value)}) = ?"
        if not folded:
            test, value = "? = ''", ""
        if cased:
            text = f".{text.removeprefix('.')}" if place is Place.EXT else text
            paths = self._paths(test, (value,)).items()
            return {row_id for row_id, path in paths if text in _part(place, path)}
        found = self._column(f"SELECT id FROM notes WHERE state <> 'ignored' AND {test}", (value,))
        if self._with_attachments:
            found |= self._column(f"SELECT -id FROM attachments WHERE {test}", (value,))
        return found

    def _paths(self, test: str, values: tuple[object, ...]) -> dict[int, str]:
        """Paths, composed, of the files that meet an SQL condition."""
        rows = self._db.execute(f"SELECT id, path FROM notes WHERE state <> 'ignored' AND {test}", values).fetchall()
        if self._with_attachments:
            rows += self._db.execute(f"SELECT -id, path FROM attachments WHERE {test}", values).fetchall()
        return {row_id: unicodedata.normalize("NFC", path_from_row(path)) for row_id, path in rows}

    def _tagged(self, leaf: Node) -> Ids:
        match leaf:
            case Pattern():
                known = [row[0] for row in self._db.execute("SELECT DISTINCT tag FROM tags")]
                tags = [tag for tag in known if self._clock.finds(leaf, tag, cased=False)]
                return self._column(
                    "SELECT note_id FROM tags WHERE tag IN (SELECT value FROM json_each(?))", [_json(tags)]
                )
            case Word(text, _) | Phrase(text, _):
                tag = fold(text).strip().removeprefix("#").rstrip("/")
                if not tag:
                    return self._column("SELECT note_id FROM tags")
                # '0' follows '/': the half-open range holds exactly the tags below this one.
                return self._column(
                    "SELECT note_id FROM tags WHERE tag = ? UNION SELECT note_id FROM tags WHERE tag >= ? AND tag < ?",
                    (tag, f"{tag}/", f"{tag}0"),
                )
            case _:
                return set()

    def _with_property(self, name: Node, value: Node | None, *, cased: bool) -> Ids:
        match name:
            case Word(text, _) | Phrase(text, _):
                names = {fold(text)}
            case _:
                known = [row[0] for row in self._db.execute("SELECT DISTINCT name FROM property_names")]
                names = {known_name for known_name in known if name_holds(name, known_name, self._clock)}
        having = "SELECT note_id FROM property_names WHERE name IN (SELECT value FROM json_each(?))"
        if value is None:
            return self._column(having, [_json(names)])
        found: Ids = set()
        for note_id, row in self._db.execute(
            f"SELECT id, properties FROM notes WHERE id IN ({having})", (_json(names),)
        ):
            values = (item for key, item in json.loads(row).items() if fold(key) in names)
            if any(value_holds(value, item, self._clock, cased=cased) for item in values):
                found.add(note_id)
        return found

    def _dated(self, node: Dated) -> Ids:
        modified, conditions, values = node.of is DateOf.MODIFIED, list[str](), list[object]()
        bounds = [(sign, bound) for sign, bound in ((">=", node.start), ("<", node.end)) if bound is not None]
        for sign, bound in bounds:
            moment = _nanoseconds(bound)
            values += [moment] if modified else [_iso(bound), moment]
            conditions.append(
                f"mtime_ns {sign} ?"
                if modified
                else f"CASE WHEN created IS NOT NULL THEN created {sign} ? ELSE {_CREATED_NS} {sign} ? END"
            )
        found = self._column(f"SELECT id FROM notes WHERE state <> 'ignored' AND {' AND '.join(conditions)}", values)
        if self._with_attachments:
            test = " AND ".join(f"mtime_ns {sign} ?" for sign, _ in bounds)
            found |= self._column(
                f"SELECT -id FROM attachments WHERE {test}", [_nanoseconds(bound) for _, bound in bounds]
            )
        return found

    # ---- text

    def _texts(self, node: Node, within: Ids | None, *, cased: bool, wanted: bool) -> Ids:
        """The notes whose text, or name where no operator says otherwise, meets a condition."""
        named = isinstance(node, Word | Phrase | Pattern)
        tests, values = ["n.state <> 'ignored'"], list[object]()
        if within is not None:
            tests.append("n.id IN (SELECT value FROM json_each(?))")
            values.append(_json(row_id for row_id in within if row_id > 0))
        if isinstance(node, In) and node.place in _TASKS:
            tests.append("s.tasks <> '[]'")
        for text in filter(_sql_folds, needed_words(node)):
            test, bound = _sql_contains("s.text", text)
            tests.append(f"({test} OR instr(n.folded_path, ?) > 0)" if named else test)
            values += [bound, fold(text)] if named else [bound]
        tables = f"FROM sources s JOIN notes n ON n.id = s.note_id WHERE {' AND '.join(tests)}"
        if not cased and _sql_decides(node):
            return self._column(f"SELECT n.id {tables}", values)
        found: Ids = set()
        rows = self._db.execute(f"SELECT n.id, n.path, n.kind, s.text, s.blocks, s.tasks, n.headings {tables}", values)
        for note_id, path, kind, text, blocks, tasks, headings in rows.fetchall():
            source = Source(text, blocks, tasks, headings, kind in _OF_FILE)
            segments = Segments(source, self._clock, self._meets(note_id))
            in_text, places = self._read(segments, node, cased=cased, wanted=wanted)
            if places:
                self.places.setdefault(note_id, []).extend(places)
            if in_text or (isinstance(node, Word | Phrase | Pattern) and self._in_name(node, path, cased=cased)):
                found.add(note_id)
        return found

    def _read(self, segments: Segments, node: Node, *, cased: bool, wanted: bool) -> tuple[bool, list[Lines]]:
        """Whether a condition holds of a note's text and, where that is wanted and has lines, which they are."""
        if isinstance(node, In) and node.place is not Place.CONTENT:
            places = segments.found(node, cased=cased)
            return bool(places), places if wanted and segments.source.of_file else []
        holds = segments.holds(node, None, cased=cased)
        return holds, segments.found(node, cased=cased) if holds and wanted and segments.source.of_file else []

    def _in_name(self, node: Word | Phrase | Pattern, path: str | bytes, *, cased: bool) -> bool:
        return says(node, unicodedata.normalize("NFC", path_from_row(path)), self._clock, cased=cased)

    def _meets(self, note_id: int) -> Callable[[Node], bool]:
        def met(node: Node) -> bool:
            if node not in self._met:
                self._met[node] = self._leaf(node, None, cased=False, wanted=False)
            return note_id in self._met[node]

        return met


def _cost(node: Node) -> int:
    """Names, tags, properties and dates first, then words, then patterns."""
    match node:
        case In(place, part) if place in _NAMES or place is Place.TAG:
            return 0 if not any(isinstance(inner, Pattern) for inner in walk(part)) else 1
        case Property() | Dated() | Compared():
            return 0
        case Not(part):
            return _cost(part)
        case All(parts) | Some(parts):
            return max((_cost(part) for part in parts), default=0)
        case _:
            return 3 if any(isinstance(inner, Pattern) for inner in walk(node)) else 2


def _sql_decides(node: Node) -> bool:
    """Whether what SQLite finds is already the answer."""
    match node:
        case Word(text, _) | In(Place.CONTENT, Word(text, _)):
            return not text or _sql_folds(text)
        case In(place, Phrase(text, _)):
            return not text.strip() and place is Place.CONTENT
        case _:
            return False


def _sql_folds(text: str) -> bool:
    """Whether SQLite compares this text as `fold` does: it knows the case of ASCII letters only."""
    return text.isascii() or text.lower() == text.upper() == fold(text)


def _sql_contains(column: str, text: str) -> tuple[str, str]:
    """An SQL test for a text inside a column, without regard to case, and the value that it binds."""
    if text.isascii() and any(char.isalpha() for char in text):
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return f"{column} LIKE ? ESCAPE '\\'", f"%{escaped}%"
    return f"instr({column}, ?) > 0", text


def _chunks_at(connection: sqlite3.Connection, note_ids: Sequence[int], places: dict[int, list[Lines]]) -> list[int]:
    """The chunks that hold the found lines, the first one of a note where none does, all of a note without places."""
    chosen: list[int] = []
    first: dict[int, int] = {}
    met: set[int] = set()
    for chunk_id, note_id, start, end in connection.execute(
        "SELECT id, note_id, start_line, end_line FROM chunks "
        "WHERE note_id IN (SELECT value FROM json_each(?)) ORDER BY note_id, seq",
        (_json(note_ids),),
    ):
        lines = places.get(note_id)
        first.setdefault(note_id, chunk_id)
        if lines is None or any(line <= end and start <= last for line, last in lines):
            chosen.append(chunk_id)
            met.add(note_id)
    return chosen + [chunk_id for note_id, chunk_id in first.items() if note_id not in met]


def _part(place: Place, path: str) -> str:
    return path if place is Place.PATH else path.rpartition("/")[2]


def _json(values: Iterable[object]) -> str:
    return json.dumps(list(values))


def _nanoseconds(moment: datetime) -> int:
    try:
        return int(moment.timestamp()) * 1_000_000_000
    except (OverflowError, OSError, ValueError):
        # Before or after all that the system's clock can tell.
        return -(1 << 62) if moment.year < 1970 else (1 << 62)


def _iso(moment: datetime) -> str:
    """A bound to compare ISO dates and times with; a day's own date comes before all of its times."""
    return (
        moment.date().isoformat()
        if moment == moment.replace(hour=0, minute=0, second=0, microsecond=0)
        else moment.isoformat()
    )
