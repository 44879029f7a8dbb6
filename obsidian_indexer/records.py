"""The values that flow through the program, in the order they are made.

    FileStat → Change → Note (Block, Link, …) → Chunk → Hit → IndexReport

All are frozen. Paths are vault-relative POSIX exactly as on disk; lines are 1-based in the original file and ranges
include both ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class FileStat:
    """What one `stat` says of a file in the vault; `born_ns` is None where the system does not know."""

    path: str
    mtime_ns: int
    size: int
    born_ns: int | None = None


@dataclass(frozen=True, slots=True)
class IgnoredFile:
    """A file of the vault that is not indexed, and the rule that says so.

    `unknown` says that the disk did not answer, so that what is known of the file still counts. `attachment` is the
    file's stat when it is left out for being no note, and for nothing else.
    """

    path: str
    reason: str
    unknown: bool = False
    attachment: FileStat | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of a vault to compare with the catalogue: files, and folders with all that lies below them."""

    paths: frozenset[str]
    folders: frozenset[str]

    def holds(self, path: str) -> bool:
        """Whether the file belongs to the part."""
        return path in self.paths or any(path.startswith(folder + "/") for folder in self.folders)

    def ancestors(self) -> frozenset[str]:
        """Every folder on the way to the part, the root left out."""
        on_the_way = set()
        for wanted in (*self.paths, *self.folders):
            while wanted := wanted.rpartition("/")[0]:
                on_the_way.add(wanted)
        return frozenset(on_the_way)


class ChangeKind(StrEnum):
    """How a note on disk differs from the catalogue."""

    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between disk and catalogue; `old_path` is set for a rename only."""

    path: str
    kind: ChangeKind
    old_path: str | None = None


class NoteKind(StrEnum):
    """What sort of document a file of the vault is."""

    MARKDOWN = "markdown"
    CANVAS = "canvas"
    EXCALIDRAW = "excalidraw"
    KANBAN = "kanban"
    BASE = "base"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class NoteWarning:
    """Something in a note that could not be read as written; the note is indexed all the same."""

    code: str
    message: str
    line: int


@dataclass(frozen=True, slots=True)
class Link:
    """One link or embed in the body.

    `target` has no `.md`, is percent-decoded and trimmed, and is `""` for the same note. `heading` is the parts joined
    by `#`, or None. `display` is the text shown, None when the link gives none.
    """

    target: str
    heading: str | None
    block: str | None
    display: str | None
    embed: bool
    line: int


@dataclass(frozen=True, slots=True)
class PropertyLink:
    """A link in a front matter value; `key` is `name`, or `name.0` for a list item."""

    key: str
    target: str
    heading: str | None


@dataclass(frozen=True, slots=True)
class VaultLink:
    """A link as it stands in the vault now: in the note `source`, leading to the file `resolved`, or None.

    `property` is the key of the front matter value that holds it, None in the body; `line` is 1 for a property. The
    other fields are those of `Link`.
    """

    source: str
    target: str
    resolved: str | None
    heading: str | None
    block: str | None
    display: str | None
    embed: bool
    line: int
    property: str | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """An outline heading (root level only), its text plain; `raw` is it as written, which links are matched with."""

    level: int
    text: str
    line: int
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A checkbox item; `status` is the one character in the brackets."""

    status: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Callout:
    """A callout; `type` is lower case."""

    type: str
    title: str
    line: int


class BlockKind(StrEnum):
    """The Markdown kind of a block; it decides where a chunk may end."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"
    CODE = "code"
    QUOTE = "quote"
    CALLOUT = "callout"
    FOOTNOTE = "footnote"
    MATH = "math"
    HTML = "html"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Block:
    """The smallest piece of a note that a chunk keeps whole where it fits.

    `text` is what a reader sees, markup removed; `embedded_text` is what the model reads when that differs (a table row
    with its header names), else None. `headings` is the path of outline headings that it stands under, outermost
    first; a heading ends its own path. `group` joins blocks that belong together (items of a list, rows of a table):
    equal and not 0.
    """

    kind: BlockKind
    text: str
    start_line: int
    end_line: int
    headings: tuple[str, ...] = ()
    embedded_text: str | None = None
    group: int = 0


class NameKind(StrEnum):
    """Where a name of a note comes from."""

    TITLE = "title"
    FILE = "file name"
    ALIAS = "alias"
    HEADING = "first heading"


@dataclass(frozen=True, slots=True)
class Name:
    """A text that a note is called by.

    `n_tokens` counts it with the model's own special tokens; 0 where the name says nothing that a model could read.
    """

    text: str
    kind: NameKind
    n_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """One file of the vault as the indexer reads it.

    `blocks` is the text in reading order, every embedded piece once; `block_ids` maps a block id to its line range.
    `lead` is what goes before the first chunk: title, aliases and description-like properties. `source` is the file's
    text as written, lines ended by newlines only, and "" where that is no prose (a canvas, a drawing). `n_lines` is 0
    when the note was not read from a file.
    """

    path: str
    sha256: str
    title: str
    kind: NoteKind = NoteKind.MARKDOWN
    lead: str = ""
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    properties: Mapping[str, object] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    property_links: tuple[PropertyLink, ...] = ()
    headings: tuple[Heading, ...] = ()
    block_ids: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()
    callouts: tuple[Callout, ...] = ()
    inline_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[NoteWarning, ...] = ()
    blocks: tuple[Block, ...] = ()
    date: str | None = None
    source: str = ""
    n_lines: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a note, the unit that is embedded and found.

    `text` is what a reader sees; `embedded_text` is exactly what the model reads, breadcrumb and lead included;
    `n_tokens` counts it with the model's own special tokens; `key` is the sha256 hex digest of `embedded_text`.
    """

    path: str
    seq: int
    headings: tuple[str, ...]
    start_line: int
    end_line: int
    text: str
    embedded_text: str
    n_tokens: int
    key: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one leg says of a hit: its rank (1 is best), its score in [0, 1], and that score's weight in the sum.

    `detail` says what rank and score do not: a cosine, the notes that link here.
    """

    leg: str
    rank: int
    score: float
    weight: float
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class MatchedTerm:
    """A term of the query that a hit holds, and its part of the BM25 score of the passage and of the whole note.

    A part is 0 where the term does not stand; the parts of all terms add up to the score.
    """

    term: str
    passage: float
    note: float

    @property
    def summary(self) -> str:
        """The term and what it adds to the passage's score or, where it stands elsewhere in the note, to the note's."""
        return f"{self.term} {self.passage:.2f}" if self.passage else f"{self.term} {self.note:.2f} in the note"


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a hit came by its score: what each leg says of it, and the terms of the query that it holds."""

    legs: tuple[Evidence, ...]
    terms: tuple[MatchedTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result. Ranks are 1-based within their leg, None where the leg did not find it.

    `similarity` is the cosine with the query in [-1, 1], None without a semantic leg.
    """

    path: str
    title: str
    headings: tuple[str, ...]
    start_line: int
    end_line: int
    snippet: str
    score: float
    keyword_rank: int | None
    semantic_rank: int | None
    similarity: float | None
    uri: str
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one query; `notice` is a line the reader should see, or None.

    `corrected` are the words searched for where they are not those of the query, else None; the notice says so too.
    """

    query: str
    mode: str
    took_ms: float
    model: str | None
    hits: tuple[Hit, ...]
    notice: str | None = None
    corrected: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A note or chunk that could not be processed after one retry."""

    path: str
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run of the processor did. Seconds are wall clock, per stage: scan, parse, embed, store."""

    seen: int = 0
    added: int = 0
    modified: int = 0
    removed: int = 0
    renamed: int = 0
    unchanged: int = 0
    ignored: int = 0
    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    tokens: int = 0
    failures: tuple[Failure, ...] = ()
    warnings: int = 0
    seconds: float = 0.0
    seconds_by_stage: Mapping[str, float] = field(default_factory=dict)
    chunks_per_second: float = 0.0
    model: str | None = None
    engine: str | None = None
    device: str | None = None
    dtype: str | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model that has vectors in the catalogue."""

    name: str
    fingerprint: str
    dim: int
    vectors: int
    active: bool


@dataclass(frozen=True, slots=True)
class NoteEntry:
    """Why one file of the vault is or is not indexed. `state`: indexed, pending, ignored, failed or empty."""

    path: str
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What embedded last for the active model, `name` and `device` None where that is not known."""

    name: str | None
    device: str | None
    dtype: str


@dataclass(frozen=True, slots=True)
class Int8Check:
    """How an int8 engine compared with float32 on passages of the vault when it was made.

    `top10_overlap` is the share of each text's ten nearest that both agree on; `refused` says why it is not used.
    """

    refused: str | None
    mean_cosine: float | None
    worst_cosine: float | None
    top10_overlap: float | None
    passages: int | None
    build_seconds: float | None
    made: str | None

    @property
    def figures(self) -> str:
        """How near it came, in a few words."""
        return _joined(
            ("mean cosine {:.4f}", self.mean_cosine),
            ("worst {:.4f}", self.worst_cosine),
            ("{:.0%} of top ten the same", self.top10_overlap),
        )

    @property
    def circumstances(self) -> str:
        """On how much, and how long the making took."""
        return _joined(("{:.0f} passages compared", self.passages), ("made in {:.0f} s", self.build_seconds))


def _joined(*parts: tuple[str, float | None]) -> str:
    return ", ".join(text.format(value) for text, value in parts if value is not None)


@dataclass(frozen=True, slots=True)
class TunedStatus:
    """The best of the last tuning run; `at` is ISO 8601 UTC."""

    at: str
    engine: str
    dtype: str
    token_budget: int | None
    chunks_per_second: float | None

    @property
    def summary(self) -> str:
        """What was found, in a line without its date."""
        budget = "" if self.token_budget is None else f", batches of {self.token_budget:,} tokens"
        pace = "" if self.chunks_per_second is None else f", {self.chunks_per_second:,.0f} chunks/s"
        return f"{self.engine} in {self.dtype}{budget}{pace}"


@dataclass(frozen=True, slots=True)
class Status:
    """The health of an index. `last_index` is ISO 8601 UTC or None; `writer` names the process that holds the lock.

    `offered_model` is the bundled model that an index made with another bundled one may be changed to.
    """

    vault: str
    data_dir: str
    notes: int
    chunks: int
    pending: int
    failed: int
    ignored: int
    models: tuple[ModelStatus, ...]
    store_kind: str
    store_vectors: int
    last_index: str | None
    writer: str | None
    failures: tuple[Failure, ...] = ()
    entries: tuple[NoteEntry, ...] = ()
    engine: EngineStatus | None = None
    int8: Int8Check | None = None
    tuned: TunedStatus | None = None
    offered_model: str | None = None
