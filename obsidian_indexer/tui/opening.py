"""Opening a note elsewhere: in Obsidian by its link, in the user's editor at a line.

Nothing here passes through a shell, so no character of a path or link means anything.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from obsidian_indexer.errors import IndexerError

# A link opener that is still alive after this long has started the program itself and is no failure.
OPENER_WAIT_S = 5.0

PLUS_LINE = {"vi", "vim", "nvim", "gvim", "mvim", "nano", "emacs", "emacsclient", "kak", "micro", "ne", "joe", "ed"}
GOTO = {"code", "code-insiders", "codium", "vscodium", "cursor", "windsurf"}
COLON_LINE = {"hx", "helix", "subl", "zed", "zeditor", "lapce"}
LINE_OPTION = {"idea", "pycharm", "webstorm", "kate", "mate"}
FALLBACKS = ("nano", "vim", "vi")


class OpenError(IndexerError):
    """A note could not be opened elsewhere; the text says what to set or install."""


def opener_command(uri: str, platform: str = sys.platform) -> list[str] | None:
    """The command that hands a link to the desktop, None on Windows, which has a call for it.

    Raises OpenError for a link that is not Obsidian's.
    """
    if not uri.startswith("obsidian://"):
        raise OpenError("Only obsidian:// links are opened.")
    if platform == "win32":
        return None
    return ["open" if platform == "darwin" else "xdg-open", uri]


def open_in_obsidian(uri: str) -> None:
    """Hand the link to the desktop. Raises OpenError when nothing takes it; may block for a few seconds."""
    command = opener_command(uri)
    if command is None:
        if sys.platform == "win32":
            try:
                os.startfile(uri)
            except OSError as error:
                raise OpenError(f"Windows could not open Obsidian: {error.strerror}") from error
        return
    if shutil.which(command[0]) is None:
        raise OpenError(
            f"'{command[0]}' is not installed, so Obsidian cannot be opened from here. Press ctrl+e instead."
        )
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(OPENER_WAIT_S)
    except subprocess.TimeoutExpired:
        return
    if code != 0:
        raise OpenError(f"'{command[0]}' could not open Obsidian (exit code {code}). Is Obsidian installed here?")


def editor_command(setting: str, environ: Mapping[str, str], path: Path, line: int) -> list[str]:
    """The command that opens `path` at `line`: the setting, else $VISUAL, else $EDITOR, else what is installed.

    Raises OpenError when there is none.
    """
    chosen = setting or environ.get("VISUAL") or environ.get("EDITOR") or ""
    if not chosen.strip():
        chosen = next((name for name in FALLBACKS if shutil.which(name)), "")
    if not chosen:
        raise OpenError("No editor is set. Set ui.editor in Settings, or $EDITOR.")
    try:
        words = shlex.split(chosen, posix=os.name != "nt")
    except ValueError as error:
        raise OpenError(f"The editor command cannot be read: {chosen}") from error
    name = Path(words[0].strip('"')).name.lower().removesuffix(".exe").removesuffix(".cmd")
    return [*words, *_place(name, str(path), max(1, line))]


def _place(name: str, path: str, line: int) -> list[str]:
    if name in PLUS_LINE:
        return [f"+{line}", path]
    if name in GOTO:
        return ["--goto", f"{path}:{line}"]
    if name in COLON_LINE:
        return [f"{path}:{line}"]
    if name in LINE_OPTION:
        return ["--line", str(line), path]
    return [path]


def run_editor(command: list[str], *, umask: int = -1) -> None:
    """Run the editor in this terminal and wait for it. Raises OpenError when it cannot be started or fails.

    `umask` is the user's own, for files the editor makes; -1 leaves this process's.
    """
    # While the screens run, descriptors 1 and 2 belong to the log; the terminal is what `sys.__stdout__` holds.
    try:
        code = subprocess.run(
            command, check=False, stdout=sys.__stdout__, stderr=sys.__stderr__, umask=umask
        ).returncode
    except OSError as error:
        raise OpenError(f"The editor '{command[0]}' could not be started: {error.strerror}") from error
    if code < 0:
        raise OpenError(f"The editor '{command[0]}' was stopped by signal {-code}.")
    if code > 0:
        raise OpenError(f"The editor '{command[0]}' ended with exit code {code}.")
