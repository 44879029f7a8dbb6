"""Gathering a note's blocks into passages that fit the model's window."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from obsidian_indexer.chunk.boilerplate import left_out
from obsidian_indexer.chunk.cut import clip, cut_spans
from obsidian_indexer.chunk.lead import is_empty, lead_without_title
from obsidian_indexer.chunk.paths import heading_paths, related, shared_path
from obsidian_indexer.records import Block, BlockKind, Chunk, Note

CHUNKER_VERSION = "2"
"""Changes whenever the same note would be cut differently; part of what identifies a set of vectors."""

CountTokens = Callable[[Sequence[str]], Sequence[int]]
"""Counts of several texts at once, without the tokens that a model adds at the ends."""

_SEPARATOR = " > "
_SEPARATOR_TOKENS = 2
# Kinds that lose their sense when cut; they get the whole window, at the cost of their breadcrumb if need be.
_KEPT_WHOLE = frozenset({BlockKind.CODE, BlockKind.TABLE_ROW, BlockKind.MATH, BlockKind.HTML})
# Texts longer than this are cut before they are counted: one count of a 5 MB line takes hundreds of MB.
_COUNTED_CHARS = 100_000
_PRECUT_CHARS = 20_000
# Blocks without embedded text weigh nothing, so their number needs a bound of its own.
_MAX_PIECES = 256


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """Sizes of passages in the model's tokens; `max_tokens` includes the model's own special tokens."""

    target_tokens: int = 200
    max_tokens: int = 256
    min_tokens: int = 24
    breadcrumb: bool = True


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block, or a part of one too large, with what the model reads of it. A heading's path ends in its own text.

    `silent` says that it is left out as boilerplate.
    """

    kind: BlockKind
    section: int
    path: tuple[str, ...]
    text: str
    embedded: str
    start_line: int
    end_line: int
    n_tokens: int
    silent: bool = False


@dataclass(frozen=True, slots=True)
class _Passage:
    """Pieces that make a chunk; `prefix_tokens` bounds its breadcrumb."""

    pieces: tuple[_Piece, ...]
    lead: str
    prefix_tokens: int


def chunk_note(
    note: Note,
    limits: ChunkLimits,
    count_tokens: CountTokens,
    *,
    title: str | None = None,
    boilerplate: frozenset[int] = frozenset(),
    special_tokens: int = 2,
) -> list[Chunk]:
    """The passages of `note` in reading order.

    `title` begins the breadcrumb in place of the note's own; empty, the headings alone make it.
    `boilerplate` holds the `block_key`s of texts that stay in `text` but are not embedded; `special_tokens` is how many
    the model adds to each text. A note without blocks of its own gives one passage of its lead, an empty file none.
    """
    if not note.blocks and is_empty(note):
        return []
    chunker = _Chunker(note, note.title if title is None else title, limits, count_tokens, special_tokens)
    pieces = chunker.pieces(boilerplate)
    return chunker.finish(chunker.rejoin(chunker.pack(pieces)))


class _Chunker:
    """One note being cut, with the token counts of its title, lead and headings."""

    def __init__(
        self, note: Note, title: str, limits: ChunkLimits, count_tokens: CountTokens, special_tokens: int
    ) -> None:
        self._note = note
        self._limits = limits
        self._count = count_tokens
        self._special = special_tokens
        self._window = max(1, limits.max_tokens - special_tokens)
        self._third = max(1, self._window // 3)
        self._part_tokens: dict[str, int] = {}
        self._crumb_tokens: dict[tuple[str, ...], int] = {}
        self._title = " ".join(title.split())
        self._lead = lead_without_title(note) if limits.breadcrumb else note.lead.strip()
        self._lead_tokens = 0

    def pieces(self, boilerplate: frozenset[int]) -> list[_Piece]:
        """The note's blocks, counted; those that do not fit the window are cut into several."""
        uncounted: list[tuple[BlockKind, int, tuple[str, ...], str, str, int, int]] = []
        silences: list[bool] = []
        section = 0
        path: tuple[str, ...] = ()
        paths = heading_paths(self._note.blocks)
        silent = left_out(self._note.blocks, [len(own) for own in paths], boilerplate)
        for position, (block, own) in enumerate(zip(self._note.blocks, paths, strict=True)):
            if block.kind is BlockKind.HEADING or own != path:
                section, path = section + 1, own
            embedded = block.text if block.embedded_text is None else block.embedded_text
            if position in silent:
                embedded = ""
            for text, part, start, end in _precut(block, embedded):
                uncounted.append((block.kind, section, own, text, part, start, end))
                silences.append(position in silent)
        parts = list(dict.fromkeys(part for own in dict.fromkeys(paths) for part in own))
        extra = [self._title, self._lead, *parts]
        counts = self._count([*extra, *(fields[4] for fields in uncounted)])
        self._part_tokens = dict(zip((self._title, *parts), (counts[0], *counts[2 : len(extra)]), strict=True))
        self._lead_tokens = counts[1]
        if self._lead_tokens > self._third:
            self._lead = clip(self._lead, self._lead_tokens, self._third)
            self._lead_tokens = self._third
        counted = zip(uncounted, counts[len(extra) :], silences, strict=True)
        return self._cut_oversized([_Piece(*fields, n_tokens, is_silent) for fields, n_tokens, is_silent in counted])

    def pack(self, pieces: Iterable[_Piece]) -> list[_Passage]:
        """Pieces gathered into passages: closed at a new section, at the target, or where the window ends."""
        passages: list[_Passage] = []
        current: list[_Piece] = []
        tokens = 0
        for piece in pieces:
            while current and self._closes(current, tokens, piece, first=not passages):
                kept = _body_end(current) or len(current)
                passages.append(self._passage(current[:kept], first=not passages))
                current = current[kept:]
                tokens = sum(held.n_tokens for held in current)
            current.append(piece)
            tokens += piece.n_tokens
        kept = _body_end(current)
        for rest in (current[:kept], current[kept:]):
            if rest:
                passages.append(self._passage(rest, first=not passages))
        return passages or [self._passage([], first=True)]

    def rejoin(self, passages: list[_Passage]) -> list[_Passage]:
        """Joins passages below the minimum to the one before, if that stands under the same heading and has room.

        One that is nothing but boilerplate is joined wherever it stands.
        """
        joined: list[_Passage] = []
        for passage in passages:
            if joined and passage.pieces and self._joins(joined[-1], passage):
                joined[-1] = replace(joined[-1], pieces=(*joined[-1].pieces, *passage.pieces))
            else:
                joined.append(passage)
        return joined

    def _joins(self, before: _Passage, passage: _Passage) -> bool:
        both = (*before.pieces, *passage.pieces)
        if len(both) > _MAX_PIECES:
            return False
        if _is_silent(passage.pieces):
            return True
        return (
            passage.pieces[-1].kind is not BlockKind.HEADING
            and sum(piece.n_tokens for piece in passage.pieces) < self._limits.min_tokens
            and related(before.pieces[-1].path, passage.pieces[0].path)
            and sum(piece.n_tokens for piece in both) <= self._room(both, with_lead=bool(before.lead))
        )

    def finish(self, passages: list[_Passage]) -> list[Chunk]:
        """Chunks, each counted as the model will read it; a passage that turns out too large is cut again."""
        return [self._chunk(seq, *counted) for seq, counted in enumerate(self._counted(passages))]

    def _counted(self, passages: list[_Passage]) -> Iterator[tuple[_Passage, str, int]]:
        texts = [self._embedded(passage) for passage in passages]
        for passage, text, n_tokens in zip(passages, texts, self._count(texts), strict=True):
            smaller = self._shrunk(passage, n_tokens) if n_tokens > self._window else []
            if smaller:
                yield from self._counted(smaller)
            else:
                yield passage, text, n_tokens

    def _closes(self, current: list[_Piece], tokens: int, piece: _Piece, *, first: bool) -> bool:
        """Whether `piece` starts a new passage."""
        if piece.section != current[-1].section:
            if _is_silent(current) and len(current) < _MAX_PIECES:
                return False
            bare = _body_end(current) == 0
            return not ((bare or tokens < self._limits.min_tokens) and related(current[-1].path, piece.path))
        if len(current) >= _MAX_PIECES:
            return True
        if _body_end(current) == 0:
            return False
        room = self._room((current[0], piece), with_lead=first)
        return tokens >= self._limits.target_tokens or tokens + piece.n_tokens > room

    def _room(self, pieces: Iterable[_Piece], *, with_lead: bool) -> int:
        """Tokens left for blocks beside the longest breadcrumb that these pieces can have."""
        prefix = max(self._breadcrumb_tokens(piece.path) for piece in pieces)
        return self._window - min(prefix, self._third) - (self._lead_tokens if with_lead else 0)

    def _passage(self, pieces: Sequence[_Piece], *, first: bool) -> _Passage:
        return _Passage(tuple(pieces), self._lead if first else "", self._third)

    def _cut_oversized(self, pieces: list[_Piece]) -> list[_Piece]:
        """Pieces that cannot fit a passage, cut until they do; all cuts of one round are counted together."""
        while True:
            cut: dict[int, list[_Piece]] = {}
            for index, piece in enumerate(pieces):
                if piece.n_tokens <= self._window - self._third:
                    continue
                room = self._room((piece,), with_lead=False)
                if piece.n_tokens > (self._window if piece.kind in _KEPT_WHOLE else room):
                    parts = _cut(piece, room)
                    if parts != [piece]:
                        cut[index] = parts
            if not cut:
                return pieces
            counted = iter(self._count_pieces([part for parts in cut.values() for part in parts]))
            cut = {index: [next(counted) for _ in parts] for index, parts in cut.items()}
            pieces = [part for index, piece in enumerate(pieces) for part in cut.get(index, (piece,))]

    def _count_pieces(self, pieces: Sequence[_Piece]) -> list[_Piece]:
        counts = self._count([piece.embedded for piece in pieces])
        return [replace(piece, n_tokens=n) for piece, n in zip(pieces, counts, strict=True)]

    def _shrunk(self, passage: _Passage, n_tokens: int) -> list[_Passage]:
        """A passage that exceeds the window, as smaller ones; none when it cannot be made smaller."""
        pieces, lead = passage.pieces, passage.lead
        if lead and pieces:
            return [replace(passage, pieces=()), replace(passage, lead="")]
        if len(lead) > 1:
            return [replace(passage, lead=lead[: len(lead) // 2])]
        split = _split_point(pieces)
        above = sum(piece.n_tokens for piece in pieces[:-1])
        if not split and above > self._window // 2:  # headings as long as passages
            split = len(pieces) - 1 if above <= self._window - self._third else len(pieces) // 2
        if split:
            return [replace(passage, pieces=pieces[:split]), replace(passage, pieces=pieces[split:])]
        excess = n_tokens - self._window
        without_prefix = [replace(passage, prefix_tokens=max(0, min(passage.prefix_tokens // 2, self._third - excess)))]
        if passage.prefix_tokens and (not pieces or pieces[-1].kind in _KEPT_WHOLE):
            return without_prefix
        if pieces:
            body = pieces[-1]
            parts = _cut(body, max(1, body.n_tokens - max(excess, body.n_tokens // 5)))
            if parts and parts != [body]:
                counted = self._count_pieces(parts)
                head = replace(passage, pieces=(*pieces[:-1], counted[0]))
                return [head, *(replace(passage, pieces=(part,)) for part in counted[1:])]
        return without_prefix if passage.prefix_tokens else []

    def _embedded(self, passage: _Passage) -> str:
        """Exactly what the model reads of a passage."""
        path = _common_path(passage.pieces)
        crumb, whole = self._breadcrumb(path, passage.prefix_tokens)
        shown = [
            piece.embedded
            for piece in passage.pieces
            if not (whole and piece.kind is BlockKind.HEADING and piece.path == path[: len(piece.path)])
        ]
        parts = [part for part in (crumb, passage.lead, *shown) if part]
        if parts:
            return "\n".join(parts)
        # Better a name that says nothing than no text at all.
        name = " ".join(self._note.title.split())
        (n_name,) = self._count([name])
        return name if n_name <= self._third else clip(name, n_name, self._third)

    def _breadcrumb(self, path: tuple[str, ...], limit: int) -> tuple[str, bool]:
        """`Title > Heading > Heading`, shortened to about `limit` tokens, and whether it is whole."""
        if not self._limits.breadcrumb or limit <= 0:
            return "", False
        parts = self._breadcrumb_parts(path)
        if self._breadcrumb_tokens(path) <= limit:
            return _SEPARATOR.join(parts), True
        if len(parts) > 2:
            parts = [parts[0], "…", parts[-1]]
        known = [self._part_tokens.get(part, 1) for part in parts]
        if sum(known) + _SEPARATOR_TOKENS * len(parts) > limit:
            share = max(1, limit // 2 - _SEPARATOR_TOKENS)
            parts = [part if n <= share else clip(part, n, share) for part, n in zip(parts, known, strict=True)]
        return _SEPARATOR.join(parts), False

    def _breadcrumb_parts(self, path: tuple[str, ...]) -> list[str]:
        parts = [part for part in (self._title, *(" ".join(part.split()) for part in path)) if part]
        if len(parts) > 1 and parts[1].casefold() == parts[0].casefold():
            del parts[0]
        return parts

    def _breadcrumb_tokens(self, path: tuple[str, ...]) -> int:
        if not self._limits.breadcrumb:
            return 0
        known = self._crumb_tokens.get(path)
        if known is None:
            counts = [self._part_tokens.get(part, 0) for part in (self._title, *path) if part]
            known = self._crumb_tokens[path] = sum(counts) + _SEPARATOR_TOKENS * max(0, len(counts) - 1)
        return known

    def _chunk(self, seq: int, passage: _Passage, embedded: str, n_tokens: int) -> Chunk:
        return Chunk(
            path=self._note.path,
            seq=seq,
            headings=_common_path(passage.pieces),
            start_line=min((piece.start_line for piece in passage.pieces), default=1),
            end_line=max((piece.end_line for piece in passage.pieces), default=1),
            text="\n".join(piece.text for piece in passage.pieces if piece.text),
            embedded_text=embedded,
            n_tokens=n_tokens + self._special,
            key=hashlib.sha256(_encoded(embedded)).hexdigest(),
        )


def _precut(block: Block, embedded: str) -> Iterator[tuple[str, str, int, int]]:
    """A block's text, embedded text and lines; several of them where it is too long even to be counted at once."""
    if len(embedded) <= _COUNTED_CHARS:
        yield block.text, embedded, block.start_line, block.end_line
        return
    whole = _Piece(block.kind, 0, (), block.text, embedded, block.start_line, block.end_line, len(embedded))
    for part in _cut(whole, _PRECUT_CHARS):
        yield part.text, part.embedded, part.start_line, part.end_line


def _cut(piece: _Piece, limit: int) -> list[_Piece]:
    """The piece in parts of about `limit` tokens, each with its own lines where text and file agree line by line."""
    text, label = piece.text, ""
    if piece.embedded.endswith(text):
        label = piece.embedded.removesuffix(text)
    if piece.kind is BlockKind.TABLE_ROW or not text.strip():
        text, label = piece.embedded, ""  # cells need the header names that only the embedded text has
    lines_in_file, lines_in_text = piece.end_line - piece.start_line + 1, text.count("\n") + 1
    # Fences stand on lines of their own, which the text does not have; the last one may be missing.
    fence = 1 if piece.kind in _KEPT_WHOLE and lines_in_file - lines_in_text in (1, 2) else 0
    agree = fence == 1 or lines_in_file == lines_in_text
    parts: list[_Piece] = []
    line = piece.start_line + fence
    for start, end in cut_spans(text, piece.n_tokens, limit):
        raw = text[start:end]
        part = raw.strip("\n").rstrip() if piece.kind in _KEPT_WHOLE else raw.strip()
        if part.strip():
            first = line + raw[: raw.index(part)].count("\n")
            lines = (first, first + part.count("\n")) if agree else (piece.start_line, piece.end_line)
            embedded = part if parts else label + part
            parts.append(replace(piece, text=part, embedded=embedded, start_line=lines[0], end_line=lines[1]))
        line += raw.count("\n")
    return parts


def _body_end(pieces: Sequence[_Piece]) -> int:
    """How many pieces there are up to the last one that is no heading."""
    end = len(pieces)
    while end and pieces[end - 1].kind is BlockKind.HEADING:
        end -= 1
    return end


def _split_point(pieces: Sequence[_Piece]) -> int:
    """Where to split pieces into like halves, the first not ending in a heading; 0 when there is no such place."""
    total, tokens, best, distance = sum(piece.n_tokens for piece in pieces), 0, 0, float("inf")
    for position, piece in enumerate(pieces[:-1], 1):
        tokens += piece.n_tokens
        if piece.kind is not BlockKind.HEADING and abs(2 * tokens - total) < distance:
            best, distance = position, abs(2 * tokens - total)
    return best


def _is_silent(pieces: Sequence[_Piece]) -> bool:
    """Whether all of these are boilerplate."""
    return all(piece.silent for piece in pieces)


def _common_path(pieces: Sequence[_Piece]) -> tuple[str, ...]:
    """The headings that all pieces stand under; a heading counts by what follows below it.

    Boilerplate has no say, so that a passage's breadcrumb is that of what the model reads of it.
    """
    pieces = [piece for piece in pieces if not piece.silent]
    paths = [
        piece.path
        for position, piece in enumerate(pieces)
        if piece.kind is not BlockKind.HEADING
        or position + 1 == len(pieces)
        or pieces[position + 1].path[: len(piece.path)] != piece.path
    ]
    return shared_path(paths)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")
