"""What every command is handed: the composed program, the common options given so far, and where output goes."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from obsidian_indexer.cli.output import LinkPlace
from obsidian_indexer.cli.stream import complain
from obsidian_indexer.cli.text import path_text
from obsidian_indexer.errors import NoteError
from obsidian_indexer.events import Event, EventSink, NoticeEvent, ignore_event
from obsidian_indexer.options import Options, SettingRow
from obsidian_indexer.records import Chunk, Note
from obsidian_indexer.tuning import KeptSettings, RestoredSettings

if TYPE_CHECKING:
    from obsidian_indexer.engine import Engine


class LoadedSettings(Protocol):
    """The merged settings as the composition root hands them in."""

    @property
    def options(self) -> Options:
        """Everything an engine needs. Raises VaultError when no vault is known."""

    @property
    def rows(self) -> Sequence[SettingRow]:
        """Every setting with its value and origin."""

    @property
    def user_file(self) -> Path:
        """The user's settings file, whether or not it exists."""

    @property
    def vault_file(self) -> Path | None:
        """The vault's own settings file, whether or not it exists; None when no vault is known."""

    @property
    def warnings(self) -> Sequence[str]:
        """What is allowed but worth saying, one line each."""


class LoadSettings(Protocol):
    """Merges all sources; `around` is a file whose own vault is preferred."""

    def __call__(self, overrides: Mapping[str, object], *, around: Path | None = None) -> LoadedSettings:
        """The settings with `overrides` ('section.name' → value) laid over the rest. Raises ConfigError."""


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts that the composition root joins to the command line."""

    load: LoadSettings
    open_engine: Callable[[Options, EventSink], Engine]
    parse_note: Callable[[Options, str], tuple[Note, Sequence[Chunk], Sequence[LinkPlace]]]
    run_tui: Callable[[Mapping[str, object]], int]
    keep_tuned: Callable[[Mapping[str, object], Mapping[str, object]], KeptSettings]
    restore_tuned: Callable[[Mapping[str, object]], RestoredSettings]


@dataclass(frozen=True, slots=True)
class Session:
    """One invocation: the composition and the common options, those after the command laid over those before it."""

    composition: Composition
    overrides: Mapping[str, object] = field(default_factory=dict)
    as_json: bool = False
    quiet: bool = False

    def over(self, *, as_json: bool = False, quiet: bool = False, **overrides: object) -> Session:
        """This session with more options; names are 'section__name', None leaves a setting alone."""
        given = {name.replace("__", ".", 1): value for name, value in overrides.items() if value is not None}
        return replace(
            self,
            overrides={**self.overrides, **given},
            as_json=self.as_json or as_json,
            quiet=self.quiet or quiet,
        )

    def settings(self, *, around: Path | None = None) -> LoadedSettings:
        """The merged settings, their warnings said on stderr. Raises ConfigError."""
        loaded = self.composition.load(self.overrides, around=around)
        for warning in loaded.warnings:
            self.say(f"Warning: {warning}")
        return loaded

    def open(self, on_event: EventSink = ignore_event) -> Engine:
        """An open engine on the vault; use it as a context manager."""
        return self.composition.open_engine(self.settings().options, on_event)

    @contextmanager
    def open_quietly(self) -> Iterator[Engine]:
        """An open engine whose notices are said once it is closed: a line in the middle of a run would tear the bar."""
        notices: list[str] = []

        def keep(event: Event) -> None:
            if isinstance(event, NoticeEvent):
                notices.append(event.message)

        with self.open(keep) as engine:
            yield engine
        for notice in notices:
            self.say(notice)

    def say(self, text: str) -> None:
        """A line for the person at the terminal, on stderr; silent under --quiet."""
        if not self.quiet:
            complain(text)


def note_path(options: Options, name: str) -> str:
    """The vault-relative path of a note named on the command line: as in the vault, or as seen from the working
    directory; `.md` may be left out. A name that leads out of the vault is a NoteError; one that no file has is kept.
    """
    return _found_note(options, name) or name


def existing_note(options: Options, name: str) -> str:
    """The same for a note that must be on disk. Raises NoteError."""
    found = _found_note(options, name)
    if found is None:
        raise NoteError(f"There is no note {path_text(name)} in the vault.")
    return found


def _found_note(options: Options, name: str) -> str | None:
    vault = options.vault_path
    for candidate in (vault / name, Path.cwd() / name):
        for path in map(_as_on_disk, (candidate, Path(f"{candidate}.md"))):
            if os.path.isfile(path):  # noqa: PTH113 - a name that no file can have is no error here
                # The file itself may be a link: only its folder is resolved, its name is kept.
                real = path.parent.resolve() / path.name
                if not real.is_relative_to(vault):
                    raise NoteError(f"{path_text(name)} is not inside the vault {vault}.")
                return real.relative_to(vault).as_posix()
    return None


def _as_on_disk(path: Path) -> Path:
    """The path with its letters composed as the names on disk have them: a Mac may hand out Korean decomposed."""
    found = Path(path.anchor)
    for part in path.parts[1:]:
        found /= part if part.isascii() else _name_on_disk(found, part)
    return found


def _name_on_disk(folder: Path, name: str) -> str:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (OSError, ValueError):  # no folder, none that can be read, or a name that no folder can have
        return name
    return name if name in names else next((other for other in names if _composed(other) == _composed(name)), name)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
