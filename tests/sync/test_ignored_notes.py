"""Every rule that leaves a file out, through `status`: its reason, no chunks, and links that still lead to it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import NoteError
from obsidian_indexer.options import Options, VaultOptions
from obsidian_indexer.records import NoteEntry
from obsidian_indexer.store.catalog import Catalog
from tests.kit import assert_same_as_fresh, options_for, write_vault

RULES = VaultOptions(
    use_gitignore=True,
    include=("/*.md", "prefixed/", "templates/", "own/", "git/", "excluded/"),
    exclude=("excluded/",),
    exclude_tags=("secret",),
    exclude_properties=("draft",),
    max_note_bytes=4_000,
)
NOTES = {
    "kept.md": "# Kept\n\n[[tagged]] [[prefixed/a]] [[regex-1]] [[plan]] [[own]] [[large]] [[property]] ![[pic.png]]\n",
    "blank.md": "",
    "prefixed/a.md": "Alpha words.\n",
    "regex-1.md": "Beta words.\n",
    "templates/plan.md": "Gamma words.\n",
    "own/own.md": "Delta words.\n",
    "git/hidden.md": "Epsilon words.\n",
    "excluded/e.md": "Zeta words.\n",
    "outside/o.md": "Eta words.\n",
    "tagged.md": "---\ntags: [Secret/deep]\n---\nTheta words.\n",
    "property.md": "---\ndraft: true\n---\nIota words.\n",
    "large.md": "Kappa words. " * 400,
    "n.sync-conflict-20260101-101010-ABCDEFG.md": "Lambda words.\n",
    "~syncthing~n.md.tmp": "Mu words.\n",
    ".obsidian/plugins/x.md": "Nu words.\n",
    ".trash/gone.md": "Xi words.\n",
    "git/.gitignore": "hidden.md\n",
    ".obsidianindexignore": "# mine\nown/\n!own/kept.md\n",
}
REASONS = {
    "prefixed/a.md": "excluded in Obsidian's settings: prefixed/",
    "regex-1.md": r"excluded in Obsidian's settings: /^regex-\d/",
    "templates/plan.md": "in the templates folder",
    "own/own.md": "matches 'own/' in .obsidianindexignore",
    "git/hidden.md": "matches 'hidden.md' in git/.gitignore",
    "excluded/e.md": "matches 'excluded/' in the exclude setting",
    "outside/o.md": "no pattern of the include setting matches",
    "tagged.md": "has the tag #Secret/deep",
    "property.md": "has the property draft set to true",
    "large.md": "larger than the limit (5,200 of 4,000 bytes)",
    "n.sync-conflict-20260101-101010-ABCDEFG.md": "conflict copy left by a sync tool",
    "~syncthing~n.md.tmp": "temporary file of a sync tool",
    "linked.md": "link to a file; Obsidian does not follow these",
    "folder": "link to a folder (follow_symlinks is off)",
    "pipe.md": "not a regular file",
    "pic.png": "not a note",
}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    root = write_vault(tmp_path / "vault", NOTES)
    app = {"userIgnoreFilters": ["prefixed/", r"/^regex-\d/"]}
    (root / ".obsidian/app.json").write_text(json.dumps(app), "utf-8")
    (root / ".obsidian/templates.json").write_text('{"folder": "templates"}', "utf-8")
    (root / "pic.png").write_bytes(b"png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/note.md").write_text("Omicron words.", "utf-8")
    (root / "linked.md").symlink_to(tmp_path / "elsewhere/note.md")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(root / "pipe.md")
    return root


@pytest.fixture
def options(vault: Path, tmp_path: Path) -> Options:
    return replace(options_for(vault, tmp_path / "index"), vault=RULES)


@pytest.fixture
def engine(options: Options) -> Iterator[Engine]:
    with Engine.open(options) as opened:
        opened.index()
        yield opened


def entries(engine: Engine) -> dict[str, NoteEntry]:
    return {entry.path: entry for entry in engine.status(notes=True).entries}


def test_every_file_says_why_it_is_or_is_not_indexed(engine: Engine) -> None:
    found = entries(engine)
    assert {path: entry.reason for path, entry in found.items() if entry.state == "ignored"} == REASONS
    assert {path: (entry.state, entry.reason) for path, entry in found.items() if entry.state != "ignored"} == {
        "kept.md": ("indexed", None),
        "blank.md": ("empty", None),
    }
    report = engine.index()
    assert (report.ignored, report.unchanged) == (len(REASONS), 2)
    assert engine.status().ignored == report.ignored


def test_nothing_of_an_ignored_note_is_kept_but_its_name(engine: Engine, options: Options) -> None:
    with Catalog.open(options.data_dir) as catalog:
        embedded = [row[0] for row in catalog.connection.execute("SELECT embedded_text FROM chunks")]
        held = b"".join(file.read_bytes() for file in options.data_dir.iterdir() if file.is_file())
    assert len(embedded) == 1
    for word in ("Alpha", "Theta", "Iota", "Kappa", "Omicron"):
        assert not engine.search(word, mode="keyword").hits
        assert word.encode() not in held


def test_links_lead_to_ignored_notes(engine: Engine) -> None:
    assert [link.resolved for link in engine.outgoing("kept.md")] == [
        "tagged.md",
        "prefixed/a.md",
        "regex-1.md",
        "templates/plan.md",
        "own/own.md",
        "large.md",
        "property.md",
        "pic.png",
    ]
    assert [link.source for link in engine.backlinks("templates/plan.md")] == ["kept.md"]


def test_an_ignored_note_has_no_say_in_the_graph(engine: Engine, vault: Path) -> None:
    (vault / "tagged.md").write_text("---\ntags: [secret]\n---\n[[kept]] [[nowhere]]\n", "utf-8")
    engine.index()
    assert engine.backlinks("kept.md") == []
    assert engine.unresolved_links() == []


LOOSER: dict[str, Callable[[Path, VaultOptions], VaultOptions]] = {
    "prefixed/a.md": lambda root, rules: _app(root, rules, r"/^regex-\d/"),
    "regex-1.md": lambda root, rules: _app(root, rules, "prefixed/"),
    "templates/plan.md": lambda root, rules: replace(rules, index_templates=True),
    "own/own.md": lambda root, rules: _ignore_file(root, rules),
    "git/hidden.md": lambda root, rules: replace(rules, use_gitignore=False),
    "excluded/e.md": lambda root, rules: replace(rules, exclude=()),
    "outside/o.md": lambda root, rules: replace(rules, include=()),
    "tagged.md": lambda root, rules: replace(rules, exclude_tags=("secret/other",)),
    "property.md": lambda root, rules: replace(rules, exclude_properties=()),
    "large.md": lambda root, rules: replace(rules, max_note_bytes=6_000),
}


def _app(root: Path, rules: VaultOptions, *filters: str) -> VaultOptions:
    (root / ".obsidian/app.json").write_text(json.dumps({"userIgnoreFilters": filters}), "utf-8")
    return rules


def _ignore_file(root: Path, rules: VaultOptions) -> VaultOptions:
    (root / ".obsidianindexignore").write_text("# nothing\n", "utf-8")
    return rules


@pytest.mark.parametrize("path", LOOSER)
def test_a_rule_that_goes_lets_its_notes_in_and_one_that_comes_takes_them_out(
    engine: Engine, vault: Path, options: Options, path: str
) -> None:
    engine.close()
    before = {file: (vault / file).read_bytes() for file in (".obsidian/app.json", ".obsidianindexignore")}
    looser = replace(options, vault=LOOSER[path](vault, options.vault))
    with Engine.open(looser) as open_now:
        report = open_now.index()
        assert (report.added + report.modified, report.removed) == (1, 0)
        assert entries(open_now)[path].state == "indexed"
    for file, data in before.items():
        (vault / file).write_bytes(data)
    with Engine.open(options) as strict_again:
        report = strict_again.index()
        assert (report.added, report.modified, report.embedded) == (0, 0, 0)
        assert entries(strict_again)[path] == NoteEntry(path, "ignored", REASONS[path])
        assert {hit.path for hit in strict_again.search("words kept", mode="keyword").hits} == {"kept.md"}


def test_what_changed_since_the_last_run_is_pending(engine: Engine, vault: Path) -> None:
    (vault / "kept.md").write_text("# Kept\n\nOther words now, and more of them.\n", "utf-8")
    (vault / "new.md").write_text("new", "utf-8")
    found = entries(engine)
    assert (found["kept.md"].state, found["kept.md"].reason) == ("pending", "changed since the last run")
    assert (found["new.md"].state, found["new.md"].reason) == ("pending", "new since the last run")


def test_a_note_that_cannot_be_read_says_so_and_keeps_what_is_known(
    engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from obsidian_indexer.sync import prepare

    read_file = prepare.read_file

    def refuse(root: Path, path: str, rules: VaultOptions) -> bytes:
        if path == "kept.md":
            raise NoteError("kept.md cannot be read: Permission denied.")
        return read_file(root, path, rules)

    monkeypatch.setattr(prepare, "read_file", refuse)
    os.utime(vault / "kept.md", ns=(1, 1))
    assert [failure.path for failure in engine.index().failures] == ["kept.md"]
    entry = entries(engine)["kept.md"]
    assert (entry.state, entry.reason) == ("failed", "kept.md cannot be read: Permission denied.")
    assert engine.search("kept", mode="keyword").hits


def test_a_file_the_disk_says_nothing_of_is_not_gone(
    engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanning = sys.modules["obsidian_indexer.vault.scan"]
    stat_note = scanning._stat_note

    def fail(path: str, entry: os.DirEntry[str], limit: int) -> object:
        if path == "kept.md":
            raise PermissionError(13, "Permission denied")
        return stat_note(path, entry, limit)

    monkeypatch.setattr(scanning, "_stat_note", fail)
    report = engine.index()
    assert report.removed == 0
    assert entries(engine)["kept.md"] == NoteEntry("kept.md", "ignored", "cannot be read: Permission denied")
    assert engine.search("kept", mode="keyword").hits


def test_the_rules_leave_the_same_index_as_a_fresh_build(vault: Path, tmp_path: Path) -> None:
    with Engine.open(replace(options_for(vault, tmp_path / "index"), vault=RULES)) as engine:
        engine.index()
    with Engine.open(options_for(vault, tmp_path / "index")) as engine:
        engine.index()
    assert_same_as_fresh(vault, tmp_path / "index", tmp_path / "fresh")
