"""Which files of a vault are left out, and why.

Each source can hide a file on its own: Obsidian's excluded files and templates folder, the vault's own ignore file and
(optionally) its `.gitignore` files, the `exclude` and `include` settings, and names that sync tools leave behind. Tags
and properties are asked once a note is parsed. The answer is always a reason to show, or None.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from obsidian_indexer.options import VaultOptions
from obsidian_indexer.records import Note
from obsidian_indexer.vault.settings import VaultSettings, fold_path

GITIGNORE = ".gitignore"
_MAX_PATTERN_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class PatternSet:
    """Patterns in git's syntax, relative to `prefix` ("" or ending in "/"); `source` names where they stand."""

    prefix: str
    source: str
    spec: GitIgnoreSpec

    def verdict(self, path: str) -> tuple[bool | None, str]:
        """(True: hidden, False: kept on purpose, None: no pattern matches) and the deciding pattern."""
        result = self.spec.check_file(path[len(self.prefix) :])
        if result.include is None or result.index is None:
            return None, ""
        pattern = self.spec.patterns[result.index]
        return result.include, str(getattr(pattern, "pattern", ""))


def pattern_set(lines: Iterable[str], source: str, prefix: str = "") -> PatternSet | None:
    """Compile patterns in git's syntax; a line that is no valid pattern is passed over. None when nothing is left."""
    patterns: list[GitIgnoreSpecPattern] = []
    for line in lines:
        try:
            patterns.extend(p for p in GitIgnoreSpec.from_lines([line]).patterns if p.include is not None)
        except (ValueError, re.error):
            continue
    return PatternSet(prefix, source, GitIgnoreSpec(patterns)) if patterns else None


def read_patterns(path: Path, source: str, prefix: str = "") -> PatternSet | None:
    """The patterns in an ignore file, or None when it is missing, unreadable or empty."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_PATTERN_BYTES:
            return None
        text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except OSError:
        return None
    return pattern_set(text.splitlines(), source, prefix)


class IgnoreRules:
    """The rules of one vault. Paths are vault-relative; a folder's path ends in "/"."""

    def __init__(self, root: Path, options: VaultOptions, settings: VaultSettings) -> None:
        self._root = root
        self._use_gitignore = options.use_gitignore
        self._include = pattern_set(options.include, "the include setting")
        own = read_patterns(root / options.ignore_file, options.ignore_file) if options.ignore_file else None
        excluded = pattern_set(options.exclude, "the exclude setting")
        self._sets = tuple(found for found in (own, excluded) if found is not None)
        filters = settings.ignore_filters if options.use_obsidian_excludes else ()
        self._prefixes, self._regexes = _split_filters(filters)
        folders = () if options.index_templates else settings.template_folders
        self._template_prefixes = tuple(fold_path(folder) + "/" for folder in folders)
        self._any_prefix = (*self._prefixes, *self._template_prefixes)
        self._simple = not (self._any_prefix or self._regexes or self._sets or self._include)

    def enter(self, folder: str, chain: tuple[PatternSet, ...]) -> tuple[PatternSet, ...]:
        """The `.gitignore` files that rule inside `folder`, outermost first, given those of its parent."""
        if not self._use_gitignore:
            return chain
        found = read_patterns(self._root / folder / GITIGNORE, folder + GITIGNORE, folder)
        return (*chain, found) if found is not None else chain

    def folder_reason(self, folder: str, chain: tuple[PatternSet, ...]) -> str | None:
        """Why everything below `folder` is left out, or None when each file must be asked."""
        if self._simple and not chain:
            return None
        return self._obsidian_reason(folder, whole_folder=True) or self._pattern_reason(folder, chain)

    def file_reason(self, path: str, chain: tuple[PatternSet, ...]) -> str | None:
        """Why this file is left out, its folder not being so, or None."""
        if self._simple and not chain:
            return None
        reason = self._obsidian_reason(path, whole_folder=False) or self._pattern_reason(path, chain)
        if reason is None and self._include is not None and not self._include.verdict(path)[0]:
            return "no pattern of the include setting matches"
        return reason

    def _obsidian_reason(self, path: str, *, whole_folder: bool) -> str | None:
        if not (self._any_prefix or self._regexes):
            return None
        folded = fold_path(path)
        if folded.startswith(self._any_prefix):
            if folded.startswith(self._template_prefixes):
                return "in the templates folder"
            prefix = next(prefix for prefix in self._prefixes if folded.startswith(prefix))
            return f"excluded in Obsidian's settings: {prefix}"
        # Regexes are asked about files only: one that matches a folder's path need not match what lies in it.
        if not whole_folder:
            for pattern in self._regexes:
                if pattern.search(unicodedata.normalize("NFC", path)):
                    return f"excluded in Obsidian's settings: /{pattern.pattern}/"
        return None

    def _pattern_reason(self, path: str, chain: tuple[PatternSet, ...]) -> str | None:
        for patterns in self._sets:
            hidden, pattern = patterns.verdict(path)
            if hidden:
                return f"matches '{pattern}' in {patterns.source}"
        for patterns in reversed(chain):
            hidden, pattern = patterns.verdict(path)
            if hidden is not None:
                return f"matches '{pattern}' in {patterns.source}" if hidden else None
        return None


def debris_reason(name: str) -> str | None:
    """Why a file name is a sync tool's leftover and no note, or None."""
    lowered = name.lower()
    if ".sync-conflict-" in lowered:
        return "conflict copy left by a sync tool"
    if lowered.startswith("~syncthing~") or lowered.endswith((".tmp", ".tmp.md", ".crdownload", ".part")):
        return "temporary file of a sync tool"
    return None


def excluded_by_content(note: Note, options: VaultOptions) -> str | None:
    """Why a parsed note is left out by its tags or properties, or None. A tag stands for the tags below it too."""
    if options.exclude_tags:
        for tag in note.tags:
            folded = fold_path(tag)
            for excluded in options.exclude_tags:
                wanted = fold_path(excluded.strip().lstrip("#").rstrip("/"))
                if wanted and (folded == wanted or folded.startswith(wanted + "/")):
                    return f"has the tag #{tag}"
    if options.exclude_properties:
        wanted_names = {fold_path(name.strip()) for name in options.exclude_properties}
        for name, value in note.properties.items():
            if fold_path(str(name)) in wanted_names and (value is True or str(value).strip().lower() == "true"):
                return f"has the property {name} set to true"
    return None


def _split_filters(filters: Iterable[str]) -> tuple[tuple[str, ...], tuple[re.Pattern[str], ...]]:
    """Obsidian's filters as case-folded path prefixes and compiled regexes; a regex that is not one is dropped."""
    prefixes: list[str] = []
    regexes: list[re.Pattern[str]] = []
    for raw in filters:
        text = raw.strip()
        if len(text) > 2 and text.startswith("/") and text.endswith("/"):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of sets in sets, which JavaScript does not have
                    regexes.append(re.compile(_python_regex(text[1:-1]), re.IGNORECASE))
            except (re.error, OverflowError, RecursionError):
                continue
        elif text:
            prefixes.append(fold_path(text))
    return tuple(prefixes), tuple(regexes)


def _python_regex(source: str) -> str:
    """A JavaScript regex as Python spells it, where the two differ in ways that file filters meet."""
    source = re.sub(r"\(\?<(?![=!])", "(?P<", source)
    return source.replace("[^]", r"[\s\S]").replace(r"\/", "/")
