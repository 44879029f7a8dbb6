"""One file to rows: read, hash, decode, parse, cut, split into terms.

Pure work on one note, in this process or in several.

Worker processes are spawned, never forked (threads and accelerators do not survive a fork), and each builds its own
`Preparer` from a recipe of plain values.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from obsidian_indexer import child
from obsidian_indexer.chunk import CHUNKER_VERSION, ChunkLimits, block_keys, chunk_note
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TextTokenizer, load_tokenizer
from obsidian_indexer.errors import NoteError
from obsidian_indexer.options import ChunkOptions, Options, VaultOptions
from obsidian_indexer.pace import capped_cores
from obsidian_indexer.records import FileStat, Note
from obsidian_indexer.store.note_rows import NoteRows, make_rows
from obsidian_indexer.store.notes import StoredNote
from obsidian_indexer.vault.ignore import excluded_by_content
from obsidian_indexer.vault.names import names_of, telling_title
from obsidian_indexer.vault.read import parse_file
from obsidian_indexer.vault.scan import read_file
from obsidian_indexer.vault.settings import VaultSettings, read_settings

_LARGEST_WINDOW = 512
# Starting a process costs about a second; below this many bytes of notes one process is done sooner.
_PARALLEL_BYTES = 3_000_000
_GROUP_FILES, _GROUP_BYTES = 64, 500_000
# The first groups are small, so that few notes are on their way before it shows what they share.
_FIRST_FILES, _FIRST_GROUPS = 8, 16
_MAX_PROCESSES = 8
# What makes morphemes takes half a GB in each process.
_MAX_ANALYSING = 3


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides how a file becomes chunks; and how many processes may be at it, at what priority.

    `morphemes` must be what the full-text tables hold.
    """

    root: Path
    vault: VaultOptions
    limits: ChunkLimits
    spec: ModelSpec
    settings: VaultSettings
    count_blocks: bool = True
    morphemes: bool = False
    cores: int = 1
    nice: int = 0

    @property
    def chunker(self) -> str:
        """Names what makes the chunks: notes cut by another one are cut again."""
        vault, settings = self.vault, self.settings
        parts = (
            CHUNKER_VERSION,
            self.limits,
            self.count_blocks,
            self.spec.revision,
            (vault.lenient_tags, vault.exclude_tags, vault.exclude_properties),
            (settings.daily_folder, settings.daily_format, settings.template_folders),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to read; `known_sha256` is set when equal content needs no parsing."""

    stat: FileStat
    known_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was read. `rows` is None when its content is the known one.

    `excluded` says why the note's own tags or properties keep it out; its rows then hold no more than its name.
    """

    stat: FileStat
    read_ns: int
    rows: NoteRows | None = None
    excluded: str | None = None


@dataclass(frozen=True, slots=True)
class PrepareFailure:
    """A file that could not become a note; `stage` is read or parse."""

    stat: FileStat
    stage: str
    reason: str


Outcome = Prepared | PrepareFailure


def make_recipe(options: Options, spec: ModelSpec) -> Recipe:
    """The recipe of a vault as its settings are now."""
    root = options.vault_path
    limits = chunk_limits(options.chunking, spec)
    return Recipe(
        root,
        options.vault,
        limits,
        spec,
        read_settings(root),
        count_blocks=options.chunking.boilerplate_notes > 0,
        morphemes=options.search.korean_morphemes,
        cores=capped_cores(options.embedding),
        nice=options.embedding.nice,
    )


def chunk_limits(options: ChunkOptions, spec: ModelSpec) -> ChunkLimits:
    """Sizes for a model: never beyond its window, and by default not beyond what makes a good passage."""
    max_tokens = min(options.max_tokens or _LARGEST_WINDOW, spec.max_tokens)
    # The prompt is read by the model as well; four characters a token is generous for the prompts there are.
    max_tokens -= len(spec.document_prompt) // 4 + bool(spec.document_prompt)
    return ChunkLimits(
        target_tokens=min(options.target_tokens, max_tokens),
        max_tokens=max_tokens,
        min_tokens=options.min_tokens,
        breadcrumb=options.breadcrumb,
    )


def choose_candidates(
    to_read: Sequence[FileStat], stored: Mapping[str, StoredNote], chunker: str, full: bool, limit: int | None
) -> list[Candidate]:
    """The files to read. A limit counts those that look changed, not those whose hash is only checked once more."""
    candidates = []
    for stat in to_read:
        note = stored.get(stat.path)
        cut_alike = note is not None and not full and note.chunker == chunker
        if not (cut_alike and note is not None and (note.mtime_ns, note.size) == (stat.mtime_ns, stat.size)):
            if limit == 0:
                continue
            limit = None if limit is None else limit - 1
        candidates.append(Candidate(stat, note.sha256 if note is not None and cut_alike else None))
    return candidates


class Preparer:
    """Makes chunks of files, one after another."""

    def __init__(self, recipe: Recipe, tokenizer: TextTokenizer | None = None) -> None:
        self._recipe = recipe
        self._tokenizer = tokenizer or load_tokenizer(recipe.spec)

    def prepare(self, candidate: Candidate, boilerplate: frozenset[int] = frozenset()) -> Outcome:
        """Read one file; blocks with a key in `boilerplate` are not embedded.

        Never raises on a bad file: the failure is the outcome.
        """
        read_ns = time.time_ns()
        stat = candidate.stat
        try:
            data = read_file(self._recipe.root, stat.path, self._recipe.vault)
        except NoteError as error:
            return PrepareFailure(stat, "read", str(error))
        if hashlib.sha256(data).hexdigest() == candidate.known_sha256:
            return Prepared(stat, read_ns)
        try:
            note = parse_file(stat.path, data, self._recipe.vault, self._recipe.settings)
            excluded = excluded_by_content(note, self._recipe.vault)
            rows = self._bare_rows(note) if excluded else self._rows(note, boilerplate)
        except NoteError as error:
            return PrepareFailure(stat, "parse", str(error))
        except Exception as error:  # noqa: BLE001 - one bad note never stops a run
            return PrepareFailure(stat, "parse", f"{type(error).__name__} in the parser")
        return Prepared(stat, read_ns, rows, excluded)

    def _rows(self, note: Note, boilerplate: frozenset[int]) -> NoteRows:
        blocks = block_keys(note.blocks) if self._recipe.count_blocks else frozenset()
        left_out = blocks & boilerplate
        count, n_special = self._tokenizer.count, self._tokenizer.n_special
        chunks = chunk_note(
            note,
            self._recipe.limits,
            count,
            title=telling_title(note),
            boilerplate=left_out,
            special_tokens=n_special,
        )
        names = names_of(note, count, n_special)
        return make_rows(note, chunks, blocks, left_out, names, morphemes=self._recipe.morphemes)

    def _bare_rows(self, note: Note) -> NoteRows:
        return make_rows(Note(note.path, note.sha256, note.title, note.kind), ())


_worker: Preparer | None = None


def _start_worker(recipe: Recipe) -> None:
    global _worker
    child.begin(recipe.nice)
    # Every worker has a core: the tokenizer's own threads would only get in each other's way.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _worker = Preparer(recipe)


def _prepare_group(group: Sequence[Candidate], boilerplate: frozenset[int]) -> list[Outcome]:
    assert _worker is not None
    return [_worker.prepare(candidate, boilerplate) for candidate in group]


def prepare_all(
    recipe: Recipe,
    candidates: Sequence[Candidate],
    tokenizer: TextTokenizer,
    boilerplate: Callable[[], frozenset[int]] = frozenset,
) -> Iterator[Outcome]:
    """Prepare many files; in several processes when there is enough to share. Order is not kept.

    `boilerplate` is asked for each group of files. If the processes cannot be had or die, what is left is done here.
    """
    processes = min(recipe.cores, _MAX_ANALYSING if recipe.morphemes else _MAX_PROCESSES)
    total = sum(candidate.stat.size for candidate in candidates)
    left: Iterable[Candidate] = candidates
    if processes > 1 and total >= _PARALLEL_BYTES:
        pool = _Pool(recipe, candidates, processes, boilerplate)
        try:
            yield from pool.outcomes()
        except OSError:  # a dead pool (BrokenProcessPool is one) or no processes to be had
            pass
        finally:
            pool.close()
        left = pool.left()
    here = Preparer(recipe, tokenizer)
    for candidate in left:
        yield here.prepare(candidate, boilerplate())


class _Pool:
    """Groups of files in worker processes, a bounded number of groups at a time."""

    def __init__(
        self,
        recipe: Recipe,
        candidates: Sequence[Candidate],
        processes: int,
        boilerplate: Callable[[], frozenset[int]],
    ) -> None:
        self._boilerplate = boilerplate
        self._groups = _groups(candidates)
        self._candidates = candidates
        self._done: set[str] = set()
        self._depth = processes * 3
        self._executor = ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(recipe,)
        )

    def outcomes(self) -> Iterator[Outcome]:
        """Outcomes in order of the groups. Raises OSError when the pool dies."""
        waiting: list[Future[list[Outcome]]] = []
        try:
            for group in self._groups:
                waiting.append(self._executor.submit(_prepare_group, group, self._boilerplate()))
                if len(waiting) >= self._depth:
                    yield from self._take(waiting.pop(0))
            while waiting:
                yield from self._take(waiting.pop(0))
        except RuntimeError as error:  # BrokenProcessPool
            raise OSError("the worker processes died") from error

    def _take(self, future: Future[list[Outcome]]) -> Iterator[Outcome]:
        for outcome in future.result():
            self._done.add(outcome.stat.path)
            yield outcome

    def left(self) -> list[Candidate]:
        """What was not done."""
        return [candidate for candidate in self._candidates if candidate.stat.path not in self._done]

    def close(self) -> None:
        """Let running groups end, drop the others."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _groups(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    group: list[Candidate] = []
    size = groups = 0
    for candidate in candidates:
        group.append(candidate)
        size += candidate.stat.size
        if len(group) >= (_GROUP_FILES if groups >= _FIRST_GROUPS else _FIRST_FILES) or size >= _GROUP_BYTES:
            yield group
            group, size, groups = [], 0, groups + 1
    if group:
        yield group
