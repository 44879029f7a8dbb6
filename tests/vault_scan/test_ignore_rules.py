"""Every rule that leaves a note out, and the reason it gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from obsidian_indexer.options import VaultOptions
from obsidian_indexer.records import FileStat, IgnoredFile, Note
from obsidian_indexer.vault.ignore import excluded_by_content
from obsidian_indexer.vault.scan import scan

MakeVault = Callable[..., Path]


def split(root: Path, **options: object) -> tuple[set[str], dict[str, str]]:
    found = list(scan(root, VaultOptions(**options)))  # type: ignore[arg-type]
    kept = {entry.path for entry in found if isinstance(entry, FileStat)}
    return kept, {entry.path: entry.reason for entry in found if isinstance(entry, IgnoredFile)}


def with_filters(make_vault: MakeVault, paths: list[str], *filters: object) -> tuple[set[str], dict[str, str]]:
    return split(make_vault(paths, {"app.json": {"userIgnoreFilters": list(filters)}}))


# --- Obsidian's excluded files


def test_a_filter_is_a_prefix_of_the_path_in_any_case(make_vault: MakeVault) -> None:
    paths = ["Archive/x.md", "Archive2/x.md", "archive.md", "Sub/Arch/x.md", "a.md"]
    kept, hidden = with_filters(make_vault, paths, "Arch")
    assert kept == {"Sub/Arch/x.md", "a.md"}
    assert hidden["Archive2/x.md"] == "excluded in Obsidian's settings: arch"


def test_a_folder_filter_counts_from_the_root(make_vault: MakeVault) -> None:
    kept, _ = with_filters(make_vault, ["Sub/x.md", "A/Sub/x.md", "Subway.md"], "Sub/")
    assert kept == {"A/Sub/x.md", "Subway.md"}


def test_a_filter_is_no_glob(make_vault: MakeVault) -> None:
    kept, _ = with_filters(make_vault, ["a.md", "b/c.md"], "*.md", "**/c.md")
    assert kept == {"a.md", "b/c.md"}


def test_slashes_make_a_regex_that_matches_anywhere_in_any_case(make_vault: MakeVault) -> None:
    paths = ["x/Draft-1.md", "x/draft.md", "drafts/a.md", "y.md"]
    kept, hidden = with_filters(make_vault, paths, r"/draft-\d/")
    assert kept == {"x/draft.md", "drafts/a.md", "y.md"}
    assert hidden == {"x/Draft-1.md": r"excluded in Obsidian's settings: /draft-\d/"}


@pytest.mark.parametrize("regex", [r"/^(?<year>\d{4})\/.*\.md$/", "/^2024[^]*$/"])
def test_regexes_are_javascript(make_vault: MakeVault, regex: str) -> None:
    kept, _ = with_filters(make_vault, ["2024/a.md", "x2024/a.md"], regex)
    assert kept == {"x2024/a.md"}


@pytest.mark.parametrize("bad", ["/[z-a]/", "/[[x]/", "/(/", "", "   ", 3, None, "//", "/"])
def test_a_filter_that_is_none_is_skipped(make_vault: MakeVault, bad: object) -> None:
    kept, _ = with_filters(make_vault, ["a.md", "b.md"], bad, " b ")
    assert kept == {"a.md"}


def test_filters_compare_unicode_forms_as_equal(make_vault: MakeVault) -> None:
    kept, _ = with_filters(make_vault, ["cafe\u0301/x.md", "a.md"], "Caf\u00e9/")
    assert kept == {"a.md"}


def test_filters_can_be_switched_off(make_vault: MakeVault) -> None:
    root = make_vault(["a.md", "b.md"], {"app.json": {"userIgnoreFilters": ["b"]}})
    assert split(root, use_obsidian_excludes=False)[0] == {"a.md", "b.md"}


@pytest.mark.parametrize("settings", [[], "text", {"userIgnoreFilters": None}, {"userIgnoreFilters": "b"}])
def test_odd_settings_count_as_none(make_vault: MakeVault, settings: object) -> None:
    assert split(make_vault(["a.md", "b.md"], {"app.json": settings}))[0] == {"a.md", "b.md"}


def test_broken_settings_count_as_none(make_vault: MakeVault) -> None:
    root = make_vault(["a.md"])
    (root / ".obsidian/app.json").write_bytes(b'{"userIgnoreFilters": ["a"')
    (root / ".obsidian/templates.json").write_bytes(b"\xff\xfe\x00")
    assert split(root)[0] == {"a.md"}


# --- templates


def test_the_templates_folder_is_left_out(make_vault: MakeVault) -> None:
    root = make_vault(
        ["templates/a.md", "Templates2/b.md", "x/Templates/c.md"], {"templates.json": {"folder": "Templates/"}}
    )
    kept, hidden = split(root)
    assert kept == {"Templates2/b.md", "x/Templates/c.md"}
    assert hidden == {"templates/a.md": "in the templates folder"}
    assert "templates/a.md" in split(root, index_templates=True)[0]


def test_templaters_folder_is_left_out_too(make_vault: MakeVault) -> None:
    root = make_vault(["T/a.md", "b.md"], {"plugins/templater-obsidian/data.json": {"templates_folder": "T"}})
    assert split(root)[0] == {"b.md"}


@pytest.mark.parametrize("folder", ["", "/", None, 5])
def test_no_templates_folder_hides_nothing(make_vault: MakeVault, folder: object) -> None:
    assert split(make_vault(["a.md"], {"templates.json": {"folder": folder}}))[0] == {"a.md"}


# --- patterns in git's syntax


def test_own_ignore_file(make_vault: MakeVault) -> None:
    paths = {"a.md": "", "drafts/b.md": "", "drafts/keep.md": "", "x/private.md": "", "deep/old/c.md": ""}
    patterns = "# comment\n\ndrafts/*\n!drafts/keep.md\nprivate.md\n/deep/**/c.md\n"
    kept, hidden = split(make_vault({**paths, ".obsidianindexignore": patterns}))
    assert kept == {"a.md", "drafts/keep.md"}
    assert hidden["x/private.md"] == "matches 'private.md' in .obsidianindexignore"


def test_what_lies_in_an_ignored_folder_cannot_be_taken_back(make_vault: MakeVault) -> None:
    kept, _ = split(make_vault({"d/keep.md": "", "a.md": "", ".obsidianindexignore": "d/\n!d/keep.md\n"}))
    assert kept == {"a.md"}


def test_the_ignore_files_name_is_a_setting(make_vault: MakeVault) -> None:
    root = make_vault({"a.md": "", "b.md": "", "ignore.txt": "b.md\n", ".obsidianindexignore": "a.md\n"})
    assert split(root, ignore_file="ignore.txt")[0] == {"a.md"}


def test_gitignore_files_count_only_when_asked(make_vault: MakeVault) -> None:
    files = {
        ".gitignore": "*.draft.md\n/build/\n",
        "a.draft.md": "",
        "build/b.md": "",
        "sub/build/c.md": "",
        "d.md": "",
    }
    root = make_vault(
        {**files, "sub/.gitignore": "!keep.draft.md\nlocal.md\n", "sub/keep.draft.md": "", "sub/local.md": ""}
    )
    assert len(split(root)[0]) == 6
    kept, hidden = split(root, use_gitignore=True)
    assert kept == {"d.md", "sub/build/c.md", "sub/keep.draft.md"}
    assert hidden["sub/local.md"] == "matches 'local.md' in sub/.gitignore"


def test_exclude_and_include_settings(make_vault: MakeVault) -> None:
    root = make_vault(["work/a.md", "work/private/b.md", "home/c.md", "d.md"])
    kept, hidden = split(root, include=("work/", "/d.md"), exclude=("private/",))
    assert kept == {"work/a.md", "d.md"}
    assert hidden["home/c.md"] == "no pattern of the include setting matches"
    assert hidden["work/private/b.md"] == "matches 'private/' in the exclude setting"


def test_a_bad_pattern_is_passed_over(make_vault: MakeVault) -> None:
    root = make_vault({"a.md": "", "b.md": "", ".obsidianindexignore": "[z-a]\n!\nb.md\n"})
    assert split(root)[0] == {"a.md"}


# --- tags and properties


def note(tags: tuple[str, ...] = (), **properties: object) -> Note:
    return Note("n.md", "0" * 64, "n", tags=tags, properties=properties)


@pytest.mark.parametrize("tag", ["private", "Private", "private/diary", "사적/일기"])
def test_a_note_is_left_out_by_its_tag(tag: str) -> None:
    options = VaultOptions(exclude_tags=("#private", "사적"))
    assert excluded_by_content(note((tag,)), options) == f"has the tag #{tag}"


@pytest.mark.parametrize("tag", ["privately", "not/private", ""])
def test_other_tags_leave_it_in(tag: str) -> None:
    assert excluded_by_content(note((tag,)), VaultOptions(exclude_tags=("private", "#"))) is None


@pytest.mark.parametrize("value", [True, "true", "True"])
def test_a_note_is_left_out_by_a_property_set_true(value: object) -> None:
    options = VaultOptions(exclude_properties=("draft",))
    assert excluded_by_content(note(Draft=value), options) == "has the property Draft set to true"


@pytest.mark.parametrize("value", [False, None, 1, "yes", [], ["true"]])
def test_other_values_leave_it_in(value: object) -> None:
    assert excluded_by_content(note(draft=value), VaultOptions(exclude_properties=("draft",))) is None
