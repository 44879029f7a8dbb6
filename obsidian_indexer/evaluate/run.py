"""One evaluation: a vault made for the purpose is indexed, and every question is asked in every mode.

Everything is done by the engine as a user has it: the same processor, model, legs and weights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.workload import spread
from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import VaultError
from obsidian_indexer.evaluate.masking import mask_vault
from obsidian_indexer.evaluate.metrics import CUT, Scores, Tally
from obsidian_indexer.evaluate.questions import read_questions, script_of
from obsidian_indexer.evaluate.sets import as_notes, read_set
from obsidian_indexer.evaluate.vaults import INDEX, borrow_index, place_for, refuse_inside, write_vault
from obsidian_indexer.events import CancelToken, Progress
from obsidian_indexer.options import Options, VaultOptions
from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.schema import CATALOG_NAME

MODES = ("keyword", "semantic", "hybrid")


@dataclass(slots=True)
class Course:
    """How far an evaluation is: written by its thread, sampled by any. `indexing` is the run of the processor."""

    doing: str = ""
    done: int = 0
    total: int = 0
    indexing: Progress | None = None
    cancel: CancelToken = field(default_factory=CancelToken)

    def enter(self, doing: str, total: int = 0, indexing: Progress | None = None) -> None:
        """Begin a part of the work; `total` is 0 where it is not known."""
        self.doing, self.done, self.total, self.indexing = doing, 0, total, indexing

    def advance(self) -> None:
        """One more of the part is done. Raises Cancelled."""
        self.cancel.check()
        self.done += 1


@dataclass(frozen=True, slots=True)
class Report:
    """What one collection, or a vault, gave with one model.

    `modes` maps mode → scores; `groups` the same for parts of the questions: 'script' or 'kind' → its values → mode →
    scores. `embedded` counts passages that the model read for it, `failed` notes and passages that were not indexed.
    """

    name: str
    model: str
    documents: int
    passages: int
    embedded: int
    failed: int
    modes: Mapping[str, Scores]
    groups: Mapping[str, Mapping[str, Mapping[str, Scores]]]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A question as it is asked: its text, the ids that answer it, and the groups that it belongs to."""

    text: str
    gains: Mapping[str, int]
    groups: Mapping[str, str]


def evaluate_set(
    folder: Path,
    options: Options,
    modes: Sequence[str] = MODES,
    keep: Path | None = None,
    *,
    limit: int | None = None,
    course: Course | None = None,
    open_engine: Callable[[Options], Engine] = Engine.open,
) -> Report:
    """Measure the search on a BEIR-style folder, with these settings save for the vault's own.

    `keep` is a folder in which vault and index stay, so that the next run embeds nothing again; without it they are
    made in a temporary one. `limit` asks that many of the queries, evenly spread. Raises ConfigError, ModelError or
    Cancelled.
    """
    judged = read_set(folder)
    queries = list(judged.queries) if limit is None else spread(list(judged.queries), limit)
    questions = [
        _Judged(judged.queries[query], judged.judged[query], {"script": script_of(judged.queries[query])})
        for query in queries
    ]
    # A kept index may hold several models: 'default' is the program's, not the one that was measured last.
    embedding = replace(options.embedding, model=resolve_model(options.embedding).source)
    options = replace(options, vault=VaultOptions(), embedding=embedding)
    with place_for(folder, keep) as place:
        return _measure(judged.name, as_notes(judged.documents), questions, place, options, modes, course, open_engine)


def evaluate_vault(
    options: Options,
    modes: Sequence[str] = MODES,
    keep: Path | None = None,
    *,
    limit: int,
    course: Course | None = None,
    open_engine: Callable[[Options], Engine] = Engine.open,
) -> Report:
    """Measure the search on the user's own vault: what links, aliases and headings call a note must find it.

    A copy is measured from which those names are gone (see `masking`); neither the vault nor its index is touched.
    `keep` and `limit` are as for `evaluate_set`. Raises VaultError, also where there is nothing to ask, ConfigError,
    ModelError or Cancelled.
    """
    course = course or Course()
    name = options.vault_path.name
    refuse_inside(options.vault_path, keep)
    options = replace(options, embedding=replace(options.embedding, model=_own_model(options)))
    course.enter(f"{name}: reading notes")
    found = read_questions(options, limit, course.advance)
    if not found:
        raise VaultError(
            f"No link text, alias or heading in {options.vault_path} stands for one note only: nothing to ask."
        )
    course.enter(f"{name}: hiding the answers' names")
    masked = mask_vault(options, found, course.advance)
    questions = [
        _Judged(question.text, {question.answer: 1}, {"kind": question.kind, "script": script_of(question.text)})
        for question in masked.questions
    ]
    # The files are chosen already, by the rules of the vault itself.
    vault = replace(options.vault, include=(), exclude=(), use_gitignore=False, use_obsidian_excludes=False)
    with place_for(options.vault_path, keep) as place:
        borrow_index(options.data_dir, place)
        return _measure(name, masked.notes, questions, place, replace(options, vault=vault), modes, course, open_engine)


def _own_model(options: Options) -> str:
    """The model that 'default' means for this vault: its index's own, where there is one."""
    if options.embedding.model == "default" and (options.data_dir / CATALOG_NAME).exists():
        with Catalog.open(options.data_dir) as catalog:
            active = catalog.vectors.active()
            if active is not None:
                return active.source
    return resolve_model(options.embedding).source


def _measure(
    name: str,
    notes: Mapping[str, tuple[str, bytes]],
    questions: Sequence[_Judged],
    place: Path,
    options: Options,
    modes: Sequence[str],
    course: Course | None,
    open_engine: Callable[[Options], Engine],
) -> Report:
    course = course or Course()
    course.enter(f"{name}: writing notes")
    options = replace(options, vault_path=write_vault(notes, place), data_dir=place / INDEX)
    with open_engine(options) as engine:
        course.enter(f"{name}: indexing", indexing=(progress := Progress()))
        report = engine.index(progress=progress, cancel=course.cancel)
        course.cancel.check()
        if any(mode != "keyword" for mode in modes):
            course.enter(f"{name}: loading the model")
            engine.warm()
        course.enter(f"{name}: asking", total=len(questions))
        identities = {path: identity for path, (identity, _) in notes.items()}
        tallies = _ask(engine, questions, identities, modes, course)
    groups: dict[str, dict[str, Mapping[str, Scores]]] = {}
    for (group, value), by_mode in sorted(tallies.items()):
        if group:
            groups.setdefault(group, {})[value] = _scores(by_mode)
    return Report(
        name=name,
        model=report.model or "",
        documents=len(notes),
        passages=report.chunks,
        embedded=report.embedded,
        failed=len(report.failures),
        modes=_scores(tallies["", ""]),
        groups=groups,
    )


_Tallies = dict[tuple[str, str], dict[str, Tally]]
"""(group, value) → mode → tally; the whole is ("", "")."""


def _ask(
    engine: Engine,
    questions: Sequence[_Judged],
    identities: Mapping[str, str],
    modes: Sequence[str],
    course: Course,
) -> _Tallies:
    """Every question in every mode. The modes of a question follow each other, so that noise meets them alike."""
    tallies: _Tallies = defaultdict(lambda: {mode: Tally() for mode in modes})
    for question in questions:
        course.advance()
        for mode in modes:
            result = engine.search(question.text, k=CUT, mode=mode, plain=True)
            ranking = [identities[hit.path] for hit in result.hits]
            for group in (("", ""), *question.groups.items()):
                tallies[group][mode].add(ranking, question.gains, result.took_ms)
    return tallies


def _scores(by_mode: Mapping[str, Tally]) -> dict[str, Scores]:
    return {mode: tally.scores() for mode, tally in by_mode.items()}
