"""Walking a vault's folders: one lazy pass that says of every file whether it is indexed, and reading one file safely.

Nothing is ever written, no link is followed unless allowed, and nothing outside the vault is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from obsidian_indexer.errors import NoteError, VaultError
from obsidian_indexer.options import VaultOptions
from obsidian_indexer.records import FileStat, IgnoredFile, Scope
from obsidian_indexer.vault.ignore import IgnoreRules, PatternSet, debris_reason
from obsidian_indexer.vault.settings import read_settings

CANVAS_SUFFIX = ".canvas"
NOTE_SUFFIXES = (".md", CANVAS_SUFFIX, ".base")


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to be read: `path` is vault-relative, "" for the root, else ending in "/"; `reason` hides all below."""

    path: str
    on_disk: str
    chain: tuple[PatternSet, ...] = ()
    reason: str | None = None


@dataclass(slots=True)
class _Links:
    """Real paths of the folders that are being read; a link is followed only to a folder apart from all of them."""

    allowed: bool
    targets: list[str]

    def refusal(self, path: str) -> str | None:
        """Why the link at `path` is not followed, or None, which claims its target."""
        if not self.allowed:
            return "link to a folder (follow_symlinks is off)"
        target = os.path.realpath(path)
        if any(_overlap(target, known) for known in self.targets):
            return "link into a folder that is read already"
        self.targets.append(target)
        return None


def scan(
    root: Path, options: VaultOptions, *, include_ignored: bool = False, scope: Scope | None = None
) -> Iterator[FileStat | IgnoredFile]:
    """Every note file below `root`, lazily, in a fixed order: a folder's files by name, then its folders by name.

    Yields a FileStat for each file to index, and an IgnoredFile for each note that a rule hides, each link that is not
    followed, and each folder that could not be read; the path of the last ends in "/", and what it holds is unknown,
    not gone. With `include_ignored`, files that are no notes (images, PDFs …) are listed too; with `scope`, only what
    belongs to it is looked at. Paths with a part that starts with a dot are invisible. Raises VaultError when the root
    is missing, is not a folder or cannot be read, or has been replaced by the end of the walk.
    """
    identity = _identity(root)
    walk = _Walk(root, options, include_ignored)
    on_the_way = scope.ancestors() if scope else frozenset()
    pending = [_Folder("", os.fspath(root))]
    while pending:
        folder = pending.pop()
        try:
            entries = _visible_entries(folder.on_disk)
        except OSError as error:
            if folder.path == "":
                raise VaultError(f"The vault {root} cannot be read: {error.strerror}.") from error
            if error.errno != errno.ENOENT:
                yield IgnoredFile(folder.path, f"folder cannot be read: {error.strerror}")
            continue
        chain = walk.rules.enter(folder.path, folder.chain)
        inner: list[_Folder] = []
        for entry in entries:
            path = folder.path + entry.name
            if scope and path not in on_the_way and path not in scope.folders and not scope.holds(path):
                continue
            found = walk.visit(folder, chain, entry)
            if isinstance(found, _Folder):
                inner.append(found)
            elif found is not None:
                yield found
        pending.extend(reversed(inner))
    if _identity(root) != identity:
        raise VaultError(f"The vault {root} was replaced while it was being read. Try again.")


class _Walk:
    """What a scan asks of every entry it meets."""

    def __init__(self, root: Path, options: VaultOptions, include_ignored: bool) -> None:
        self.rules = IgnoreRules(root, options, read_settings(root))
        self._include_ignored = include_ignored
        self._links = _Links(options.follow_symlinks, [os.path.realpath(root)])
        self._limits = dict.fromkeys(NOTE_SUFFIXES, options.max_note_bytes)
        self._limits[CANVAS_SUFFIX] = options.max_canvas_bytes

    def visit(
        self, folder: _Folder, chain: tuple[PatternSet, ...], entry: os.DirEntry[str]
    ) -> FileStat | IgnoredFile | _Folder | None:
        """What one visible entry is: a file to index, one that is left out, a folder to read, or nothing of note."""
        path = folder.path + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                return self._folder(folder, chain, entry, path)
            if entry.is_symlink():
                return self._link(folder, chain, entry, path)
            limit = self._limits.get(suffix_of(entry.name))
            if limit is None and not self._include_ignored:
                return None
            reason = folder.reason or self.rules.file_reason(path, chain) or debris_reason(entry.name)
            if limit is None:
                return _stat_other(path, entry, hidden=reason is not None)
            return IgnoredFile(path, reason) if reason else _stat_note(path, entry, limit)
        except FileNotFoundError:
            return None
        except OSError as error:
            return IgnoredFile(path, f"cannot be read: {error.strerror}", unknown=True)

    def _folder(self, folder: _Folder, chain: tuple[PatternSet, ...], entry: os.DirEntry[str], path: str) -> _Folder:
        inside = path + "/"
        return _Folder(inside, entry.path, chain, folder.reason or self.rules.folder_reason(inside, chain))

    def _link(
        self, folder: _Folder, chain: tuple[PatternSet, ...], entry: os.DirEntry[str], path: str
    ) -> IgnoredFile | _Folder | None:
        if entry.is_dir():
            refusal = self._links.refusal(entry.path)
            return IgnoredFile(path, refusal) if refusal else self._folder(folder, chain, entry, path)
        if self._include_ignored or suffix_of(entry.name) in self._limits:
            return IgnoredFile(path, "link to a file; Obsidian does not follow these")
        return None


def list_attachments(root: Path, *, follow_symlinks: bool = False) -> Iterator[str]:
    """The path of every visible file of the vault, notes and others, ignored or not: what a link may point at.

    Raises VaultError when the root is missing or is not a folder; folders that cannot be read are passed over.
    """
    _identity(root)
    links = _Links(follow_symlinks, [os.path.realpath(root)])
    pending = [_Folder("", os.fspath(root))]
    while pending:
        folder = pending.pop()
        try:
            entries = _visible_entries(folder.on_disk)
        except OSError:
            continue
        inner: list[_Folder] = []
        for entry in entries:
            path = folder.path + entry.name
            followed = entry.is_symlink() and entry.is_dir() and links.refusal(entry.path) is None
            if followed or entry.is_dir(follow_symlinks=False):
                inner.append(_Folder(path + "/", entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield path
        pending.extend(reversed(inner))


def _visible_entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)


def _stat_note(path: str, entry: os.DirEntry[str], limit: int) -> FileStat | IgnoredFile:
    found = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode):
        return IgnoredFile(path, "not a regular file")
    if found.st_size > limit:
        return IgnoredFile(path, _too_large(found.st_size, limit))
    return FileStat(path, found.st_mtime_ns, found.st_size, _born_ns(found))


def _stat_other(path: str, entry: os.DirEntry[str], *, hidden: bool) -> IgnoredFile:
    """What is no note; one that a rule hides is not even an attachment."""
    reason = debris_reason(entry.name) or "not a note"
    found = entry.stat(follow_symlinks=False)
    if hidden or not stat.S_ISREG(found.st_mode):
        return IgnoredFile(path, reason)
    return IgnoredFile(path, reason, attachment=FileStat(path, found.st_mtime_ns, found.st_size))


def _born_ns(found: os.stat_result) -> int | None:
    """When a file was made, where the system tells."""
    born_s: float | None = getattr(found, "st_birthtime", None)
    return None if born_s is None else int(born_s * 1_000_000_000)


def read_file(root: Path, path: str, options: VaultOptions) -> bytes:
    """The bytes of one note of the vault.

    Raises NoteError when the path leads out of the vault or is hidden, and when the file has vanished, may not be read,
    is too large, is not a regular file, or stands in the cloud only (opening it would block on a download).
    """
    on_disk = _inside(root, path, options)
    limit = options.max_canvas_bytes if suffix_of(path) == CANVAS_SUFFIX else options.max_note_bytes
    try:
        found = os.lstat(on_disk)
        _check_readable(path, found, limit)
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(on_disk, flags), "rb") as file:
            _check_readable(path, os.fstat(file.fileno()), limit)
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise NoteError(f"{path} is no longer there.") from None
    except OSError as error:
        raise NoteError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(data) > limit:
        raise NoteError(f"{path} is {_too_large(len(data), limit)}.")
    return data


def _inside(root: Path, path: str, options: VaultOptions) -> str:
    """Where `path` stands on disk; NoteError unless it is a visible place within the vault."""
    parts = path.split("/")
    # An absolute path has an empty first part; the other two checks are for Windows.
    foreign = "\0" in path or os.path.splitdrive(path)[0] or (os.sep != "/" and os.sep in path)
    if foreign or any(part == "" or part[0] == "." for part in parts):
        raise NoteError(f"{path!r} is not a visible path inside the vault.")
    on_disk = os.fspath(root)
    for part in parts[:-1]:
        on_disk = f"{on_disk}{os.sep}{part}"
        if not options.follow_symlinks and _is_link(on_disk):
            raise NoteError(f"{path!r} leads through a link; links are not followed (see follow_symlinks).")
    return f"{on_disk}{os.sep}{parts[-1]}"


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return False


def _check_readable(path: str, found: os.stat_result, limit: int) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise NoteError(f"{path} is a link; links to files are not followed.")
    if not stat.S_ISREG(found.st_mode):
        raise NoteError(f"{path} is not a regular file.")
    if is_cloud_only(found):
        raise NoteError(f"{path} is in the cloud only. Open it once in its sync application to bring it here.")
    if found.st_size > limit:
        raise NoteError(f"{path} is {_too_large(found.st_size, limit)}.")


def is_cloud_only(found: os.stat_result) -> bool:
    """Whether a stat tells of a placeholder whose content a sync tool would first have to fetch."""
    dataless_on_macos = getattr(found, "st_flags", 0) & 0x40000000  # SF_DATALESS
    # FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN and _RECALL_ON_DATA_ACCESS
    recall_on_windows = getattr(found, "st_file_attributes", 0) & (0x1000 | 0x40000 | 0x400000)
    return bool(dataless_on_macos or recall_on_windows)


def _identity(root: Path) -> tuple[int, int]:
    try:
        found = root.stat()
    except FileNotFoundError:
        raise VaultError(f"There is no vault at {root}. Name a folder with --vault.") from None
    except (OSError, ValueError) as error:
        raise VaultError(f"The vault {root} cannot be read: {error}.") from error
    if not stat.S_ISDIR(found.st_mode):
        raise VaultError(f"{root} is a file, not a folder. A vault is a folder of notes.")
    return found.st_dev, found.st_ino


def suffix_of(name: str) -> str:
    """The extension of a file name or path, with its dot and in lower case; nonsense where there is none."""
    return name[name.rfind(".") :].lower()


def _overlap(one: str, other: str) -> bool:
    one, other = one.rstrip(os.sep) + os.sep, other.rstrip(os.sep) + os.sep
    return one.startswith(other) or other.startswith(one)


def _too_large(size: int, limit: int) -> str:
    return f"larger than the limit ({size:,} of {limit:,} bytes)"
