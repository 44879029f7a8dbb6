"""The commands that ask: `search`, `similar`, `uri`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from obsidian_indexer.cli.command import Command
from obsidian_indexer.cli.output import search_object, write_json
from obsidian_indexer.cli.session import Session, note_path
from obsidian_indexer.cli.text import search_text, show
from obsidian_indexer.errors import ConfigError
from obsidian_indexer.records import SearchResult

DONE = 0

_results = click.option("-k", "k", type=click.IntRange(min=1), metavar="N", help="Results shown.")


@click.command(cls=Command)
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
@click.option("--explain", is_flag=True, help="Show how each score came about.")
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
    explain: bool,
    queries: Path | None,
) -> int:
    """Search for QUERY by words, by meaning, or both."""
    if (query is None) == (queries is None):
        raise click.UsageError("Give either a QUERY or --queries FILE.jsonl.")
    with session.open() as engine:
        if queries is not None:
            for identity, result in engine.search_many(_read_queries(queries), k=k, mode=mode, group=group):
                write_json({"_id": identity, **search_object(result, explain=explain)})
            return DONE
        result = engine.search(query or "", k=k, mode=mode, group=group, explain=explain)
    _print(session, result, explain=explain)
    return DONE


def _read_queries(path: Path) -> Iterator[tuple[str, str]]:
    """(`_id`, `text`) of each line. Raises ConfigError naming file and line."""
    with click.open_file(str(path), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield str(row["_id"]), str(row["text"])
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f'{path}, line {number}: expected {{"_id": …, "text": …}}.') from error


@click.command(cls=Command)
@click.argument("note")
@_results
@click.pass_obj
def similar(session: Session, note: str, k: int | None) -> int:
    """List notes like NOTE."""
    with session.open() as engine:
        result = engine.similar(note_path(engine.options, note), k=k)
    _print(session, result, explain=False)
    return DONE


def _print(session: Session, result: SearchResult, *, explain: bool) -> None:
    if session.as_json:
        write_json(search_object(result, explain=explain))
        return
    if result.notice:
        session.say(result.notice)
        sys.stderr.flush()
    show(*search_text(result, explain=explain))


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
        path = note_path(engine.options, note)
        link = engine.uri(path, heading=heading, block=block, line=line, advanced=advanced)
    if session.as_json:
        write_json({"path": path, "uri": link})
    else:
        click.echo(link)
    return DONE
