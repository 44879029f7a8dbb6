"""The commands that ask: `search`, `similar`, `uri`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, TypedDict

import click

from obsidian_indexer.cli.command import Command
from obsidian_indexer.cli.output import search_object, write_json
from obsidian_indexer.cli.session import Session, existing_note, note_path
from obsidian_indexer.cli.stream import complain, emit
from obsidian_indexer.cli.text import found_text, path_text, search_text, show
from obsidian_indexer.errors import ConfigError, IndexerError, NoteError, QueryError
from obsidian_indexer.options import Options
from obsidian_indexer.records import SearchResult
from obsidian_indexer.search.syntax.parser import SORTS

if TYPE_CHECKING:
    from obsidian_indexer.engine import Engine

DONE, USAGE = 0, 2


class Asked(TypedDict):
    """How queries are to be answered, as `Engine.search` takes it."""

    k: int | None
    mode: str | None
    group: str
    explain: bool
    sort: str | None
    rerank: bool | None


_results = click.option("-k", "k", type=click.IntRange(min=1), metavar="N", help="Results shown.")


class _Search(Command):
    """Takes a query, which may begin with the minus of "without"."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; where one with a minus is no option, say how a query begins with one."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name.startswith("--"):
                raise
            told = f"{error.format_message()} A query that begins with a minus goes after --: search -- '-word'."
            raise click.UsageError(told, ctx) from error


@click.command(cls=_Search)
@click.argument("query", required=False)
@_results
@click.option("--mode", type=click.Choice(["hybrid", "semantic", "keyword"]), help="Which legs answer.")
@click.option(
    "--group",
    type=click.Choice(["note", "chunk"]),
    default="note",
    show_default=True,
    help="One hit per note or passage.",
)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    help="Order by date, the newest first, or with -asc the oldest; the best results, not all.",
)
@click.option("--explain", is_flag=True, help="Show how each score came about.")
@click.option("--rerank/--no-rerank", default=None, help="Let the cross-encoder of search.rerank_model order the best.")
@click.option(
    "--queries",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE.jsonl",
    help='Answer one {"_id", "text"} per line, in JSON lines; - reads stdin.',
)
@click.pass_obj
def search(
    session: Session,
    query: str | None,
    k: int | None,
    mode: str | None,
    group: str,
    sort: str | None,
    explain: bool,
    rerank: bool | None,
    queries: Path | None,
) -> int:
    """Search for QUERY by words, by meaning, or both."""
    if (query is None) == (queries is None):
        raise click.UsageError("Give either a QUERY or --queries FILE.jsonl.")
    if query is not None and not query.strip():
        raise click.UsageError("Give a query: this one is empty.")
    with session.open() as engine:
        _check_named_model(session, engine)
        try:
            if _needs_model(query, mode or engine.options.search.mode):
                # Before the query, so that its time is its own. Without a model the search says so and goes by keyword.
                with suppress(IndexerError):
                    engine.warm(rerank=rerank is not False, once=queries is None)
            ask: Asked = {"k": k, "mode": mode, "group": group, "explain": explain, "sort": sort, "rerank": rerank}
            if queries is not None:
                _answer_all(engine, queries, ask)
                return DONE
            result = engine.search(query or "", **ask)
        except QueryError as error:
            complain(f"Error: {error}" + ("" if error.position is None else _pointed(query or "", error.position)))
            return USAGE
    _print(session, result, explain=explain)
    return DONE


def _pointed(query: str, position: int) -> str:
    from obsidian_indexer.search.syntax.caret import pointed

    return "\n" + indent(pointed(query, position), "  ")


def _check_named_model(session: Session, engine: Engine) -> None:
    """A model named on this command line must be there; one from a file may be missing. Raises ModelError."""
    if "embedding.model" in session.overrides:
        engine.check_model()


def _needs_model(query: str | None, mode: str) -> bool:
    """Whether a query (None: several) has words to embed; one of filters alone has not."""
    from obsidian_indexer.search.query import parse_query

    return mode != "keyword" and (query is None or bool(parse_query(query).words))


def _answer_all(engine: Engine, queries: Path, ask: Asked) -> None:
    """Answer each line of a file as it is read; `_id` comes back as it was given, whatever its type."""
    given: list[object] = []

    def numbered() -> Iterator[tuple[str, str]]:
        for number, (identity, text) in enumerate(_read_queries(queries)):
            given.append(identity)
            yield str(number), text

    for number, result in engine.search_many(numbered(), **ask):
        write_json({"_id": given[int(number)], **search_object(result, explain=ask["explain"])})


def _read_queries(path: Path) -> Iterator[tuple[object, str]]:
    """(`_id`, `text`) of each line. Raises ConfigError naming file and line."""
    with click.open_file(str(path), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield row["_id"], str(row["text"])
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f'{path}, line {number}: expected {{"_id": …, "text": …}}.') from error


@click.command(cls=Command)
@click.argument("note")
@_results
@click.option("--hide-linked", is_flag=True, help="Leave out notes that NOTE links to or that link to it.")
@click.pass_obj
def similar(session: Session, note: str, k: int | None, hide_linked: bool) -> int:
    """List notes like NOTE."""
    with session.open() as engine:
        _check_named_model(session, engine)
        result = engine.similar(note_path(engine.options, note), k=k, hide_linked=hide_linked)
    _print(session, result, explain=False)
    return DONE


def _print(session: Session, result: SearchResult, *, explain: bool) -> None:
    if session.as_json:
        write_json(search_object(result, explain=explain))
        return
    if result.notice:
        session.say(result.notice)
    show(*search_text(result, explain=explain))
    session.say(found_text(result))


@click.command(cls=Command)
@click.argument("note")
@click.option("--heading", metavar="H", help="Open at this heading.")
@click.option("--block", metavar="B", help="Open at this block id.")
@click.option("--line", type=click.IntRange(min=1), metavar="N", help="Open at this line.")
@click.option("--advanced", is_flag=True, help="Write the link for the Advanced URI plugin.")
@click.pass_obj
def uri(session: Session, note: str, heading: str | None, block: str | None, line: int | None, advanced: bool) -> int:
    """Print the link that opens NOTE in Obsidian."""
    if sum(place is not None for place in (heading, block, line)) > 1:
        raise click.UsageError("Give one of --heading, --block and --line.")
    with session.open() as engine:
        path = existing_note(engine.options, note)
        link = engine.uri(path, heading=heading, block=block, line=line, advanced=advanced)
        options = engine.options
    if session.as_json:
        write_json({"path": path, "uri": link})
    else:
        emit(link)
    if (heading or block) and not _has_place(options, path, heading, block):
        place = f"heading '{heading}'" if heading else f"block '{block}'"
        session.say(f"{path_text(path)} has no {place}: the link opens the note itself.")
    return DONE


def _has_place(options: Options, path: str, heading: str | None, block: str | None) -> bool:
    """Whether the note holds this heading or block; taken for granted where that cannot be told."""
    from obsidian_indexer.vault.links import resolve_subpath
    from obsidian_indexer.vault.read import parse_file
    from obsidian_indexer.vault.scan import read_file

    if not path.lower().endswith(".md"):
        return True
    try:
        note = parse_file(path, read_file(options.vault_path, path, options.vault), options.vault)
    except NoteError:
        return True
    return resolve_subpath(note, heading, block) is not None
