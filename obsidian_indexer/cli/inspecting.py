"""The commands that only look: `status`, `parse`, `config show`."""

from __future__ import annotations

from pathlib import Path

import click

from obsidian_indexer.cli.command import Command, Group
from obsidian_indexer.cli.output import parse_object, settings_object, status_object, write_json
from obsidian_indexer.cli.session import Session, existing_note
from obsidian_indexer.cli.stream import complain
from obsidian_indexer.cli.text import files_text, parse_text, path_text, settings_text, show, status_text
from obsidian_indexer.errors import NoteError

DONE, WITH_FAILURES = 0, 1


@click.command(cls=Command)
@click.option("--notes", is_flag=True, help="List every file and why it is or is not indexed.")
@click.pass_obj
def status(session: Session, notes: bool) -> int:
    """Show counts, health, model and store."""
    with session.open() as engine:
        now = engine.status(notes=notes)
    if session.as_json:
        write_json(status_object(now, notes=notes))
    else:
        show(*status_text(now, notes=notes))
    return DONE


@click.command(cls=Command)
@click.argument("notes", metavar="NOTE...", nargs=-1, required=True)
@click.pass_obj
def parse(session: Session, notes: tuple[str, ...]) -> int:
    """Show notes as the indexer sees them; needs no index."""
    failed = False
    for name in notes:
        try:
            options = session.settings(around=Path(name).absolute()).options
            note, chunks, places = session.composition.parse_note(options, existing_note(options, name))
        except NoteError as error:
            # Most messages name the note themselves, in one way or the other.
            named = Path(name).name in str(error) or path_text(name) in str(error)
            complain(f"failed: {error}" if named else f"failed: {path_text(name)}: {error}")
            failed = True
            continue
        if session.as_json:
            write_json(parse_object(note, chunks, places))
        else:
            show(*parse_text(note, chunks))
    return WITH_FAILURES if failed else DONE


@click.group(cls=Group)
def config() -> None:
    """Settings and where they come from."""


@config.command("show")
@click.pass_obj
def show_config(session: Session) -> int:
    """Show every setting, its value and where it came from, and the files that settings can be written into."""
    loaded = session.settings()
    if session.as_json:
        write_json(settings_object(loaded.rows, user_file=loaded.user_file, vault_file=loaded.vault_file))
    else:
        show(*files_text(loaded.user_file, loaded.vault_file), settings_text(loaded.rows))
    return DONE
