"""The demo vault shows every kind of Obsidian syntax and each of its queries has an answer; plain files, no indexer."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

ASSETS = Path(__file__).resolve().parents[2] / "assets"
VAULT = ASSETS / "demo-vault"
QUERIES = ASSETS / "demo-vault-queries.jsonl"

# Links written on purpose to notes that do not exist.
UNRESOLVED = {"권태", "Moka pot", "Nowhere", "{{date:YYYY-MM-DD}}"}

# name of the syntax -> pattern that at least one note's text must hold (multi-line; `.` stops at a line end)
FRONT_MATTER = {
    "tags as a block list": r"\A---\n(?:.*\n)*?tags:\n *- \S",
    "tags as a flow list": r"^tags: \[\S",
    "tags as one string": r"^tags: [\w/]+$",
    "tags with a comma, which are no tags": r"^tags: \w+, \w+$",
    "tags key in another case": r"^Tags:$",
    "tag with a leading hash": r'^ +- "#\w',
    "empty value": r"^status: *$",
    "aliases list": r"^aliases:\n *- \S",
    "aliases as one string": r"^aliases: [^\[\n]+$",
    "cssclasses": r"^cssclasses:",
    "date": r"^date: \d{4}-\d\d-\d\d$",
    "date and time": r"^\w+: \d{4}-\d\d-\d\dT\d\d:\d\d",
    "time of day": r"^\w+: 12:30$",
    "checkbox": r"^\w+: (?:true|false)$",
    "word that is no checkbox": r"^\w+: yes$",
    "whole number": r"^\w+: \d+$",
    "decimal number": r"^\w+: \d+\.\d+$",
    "number with a leading zero": r"^\w+: 0\d+$",
    "null": r"^\w+: ~$",
    "property link": r'^\w+: "\[\[[^\]]+\]\]"$',
    "list of property links": r'^ +- "\[\[[^\]]+\]\]"$',
    "property link without quotes": r"^\w+: \[\[[^\]]+\]\]$",
    "markdown link property": r'^\w+: "\[[^\]]+\]\(http',
    "Korean key": r"^[가-힣_]+: \S",
    "nested map": r"^\w+: \{ ",
    "list of maps": r"^ +- temple: ",
    "anchor and alias": r"^id: &box (?:.*\n)*?\w+: \*box$",
    "literal block holding dashes": r"^notes: \|\n(?:  .*\n)*  ---\n",
    "closing fence with trailing blanks": r"^---[ \t]+$",
    "JSON": r"\A---\n\{\n",
    "empty block": r"\A---\n---\n",
    "broken YAML": r"\A---\ntitle: \w+: \w+:",
    "never closed": r"\A---\n(?!(?:.*\n)*?---[ \t]*\n)",
    "after an empty line, so none": r"\A\n---\n",
    "template value without quotes": r"^title: \{\{title\}\}$",
}
LINKS = {
    "plain link": r"(?<!!)\[\[\w+\]\]",
    "display text": r"\[\[\w+\|[^\]]+\]\]",
    "link to a heading": r"\[\[\w+#\w+\]\]",
    "link to a nested heading": r"\[\[[^\]#]+#[^\]#]+#[^\]#]+\]\]",
    "link to a heading of the same note": r"\[\[#[^\^\]]+\]\]",
    "link to a block": r"\[\[[^\]#]+#\^[\w-]+\]\]",
    "link to a block of the same note": r"\[\[#\^[\w-]+\]\]",
    "link to a footnote": r"\[\[[^\]#]+#\[\^\w+\]\]\]",
    "link with a folder": r"\[\[Dev/\w+\]\]",
    "link from the root": r"\[\[/\w+\]\]",
    "relative link": r"\[\[\.\./",
    "link with its extension": r"\[\[\w+\.md\]\]",
    "link with an idle hash": r"\[\[\w+#\]\]",
    "link inside a table": r"^\|.*\[\[[^\]|]+\\\|[^\]]+\]\]",
    "unresolved link": r"\[\[권태\]\]",
    "link to a canvas": r"\[\[[^\]]+\.canvas\]\]",
    "pdf page": r"\[\[[^\]]+\.pdf#page=\d",
    "embedded pdf with height": r"!\[\[[^\]]+\.pdf#page=\d&height=\d+\]\]",
    "embedded note": r"!\[\[\w+\]\]",
    "embedded section": r"!\[\[[^\]#]+#[^\]^]+\]\]",
    "embedded block": r"!\[\[[^\]#]+#\^\w+\]\]",
    "embedded image with width": r"!\[\[[^\]|]+\|\d+\]\]",
    "embedded image with alt and size": r"!\[\[[^\]|]+\|[^\]|]+\|\d+x\d+\]\]",
    "embedded audio": r"!\[\[[^\]]+\.wav\]\]",
    "markdown link": r"(?<!!)\[\w+\]\(\w+\.md\)",
    "markdown link, encoded": r"\]\([^)]*%20[^)]*\.md\)",
    "markdown link, angle brackets": r"\]\(<[^>]+ [^>]+>\)",
    "markdown link to a heading": r"\]\([^)]+\.md#\w",
    "markdown link to a block": r"\]\([^)]+\.md#\^\w",
    "reference link": r"^\[\w+\]: \S",
    "external link": r"\]\(https://",
    "application link": r"\]\(obsidian://",
    "autolink": r"<https://",
    "markdown image with size": r"!\[[^\]|]+\|\d+\]\(",
    "markdown image, size alone": r"!\[\d+x\d+\]\(",
}
INLINE = {
    "tag": r"(?<!\S)#[a-z]+(?!\S)",
    "Korean tag": r"(?<!\S)#[가-힣]+(?!\S)",
    "nested tag": r"(?<!\S)#[가-힣a-z]+/[가-힣a-z]+",
    "emoji tag": r"(?<!\S)#[\U0001F300-\U0001FAFF]",
    "tag in a heading": r"^## .*(?<!\S)#\w",
    "digits that are no tag": r"(?<!\S)#1984(?!\w)",
    "tag in a comment": r"%%[^%\n]*#\w+[^%\n]*%%",
    "highlight": r"==[^=\n]+==",
    "strike": r"~~[^~\n]+~~",
    "inline comment": r"%%[^%\n]+%%",
    "footnote": r"\w\[\^\w+\]",
    "footnote definition": r"^\[\^\w+\]: \S",
    "footnote of two paragraphs": r"^\[\^[^\]]+\]: .*\n\n    \S",
    "inline footnote": r"\^\[[^\]]+\]",
    "inline math": r"\$[A-Za-z\\][^$\n]*\$",
    "math on a line of its own": r"^\$\$\n",
    "display math inside a line": r"\w \$\$[^$\n]+\$\$ \w",
    "prices that are no math": r"\$10 and \$20",
    "escaped dollar": r"\\\$\d",
    "escaped tag": r"\\#\w",
    "inline code": r"`[^`\n]+`",
    "Dataview field on a line": r"^\w+:: \S",
    "Dataview field with a bold key": r"^\*\*[^*]+\*\*:: \S",
    "Dataview field in brackets": r"\[\w+:: [^\]]+\]",
    "Dataview field in parentheses": r"\(\w+:: [^)]+\)",
    "Dataview inline query": r"`= ",
    "Dataview inline script": r"`\$= ",
    "inline HTML": r"<sub>\w+</sub>",
    "text that looks like screen markup": r"\[/\]",
}
BLOCKS = {
    "title heading": r"^# \S",
    "heading that skips levels": r"^##### \S",
    "empty heading": r"^####\s*$",
    "heading with closing hashes": r"^### .* ##$",
    "setext heading": r"^\S.*\n=+$",
    "setext subheading": r"\n\n\w[^:\n]*\n-{3,}$",
    "block id after a paragraph": r"^[^\-\s>|].*\S \^[\w-]+$",
    "block id after a list item": r"^[ \t]*- .*\S \^[\w-]+$",
    "block id below a list": r"^- .*\n\n\^[\w-]+$",
    "block id below a quote or callout": r"^>.*\n\n\^[\w-]+$",
    "block id below a table": r"^\|.*\|\n\n\^[\w-]+$",
    "block id below code": r"^```\n\n\^[\w-]+$",
    "callout": r"^> \[!note\]$",
    "callout with a title": r"^> \[!\w+\] \S",
    "callout, folded": r"^> \[!\w+\]- ",
    "callout, unfolded": r"^> \[!\w+\]\+ ",
    "callout with meta": r"^> \[!\w+\|\w+\]",
    "callout of an unknown type": r"^> \[!recipe",
    "callout, capitals": r"^> \[![A-Z]+\]",
    "callout without a blank": r"^>\[!\w+\]",
    "nested callout": r"^> > \[!\w+\]",
    "task in a callout": r"^> (?:> )?- \[.\] ",
    "nested quote": r"^> > [^\[]",
    "block comment": r"^%%\n(?!##)(?:.*\n)+?%%$",
    "comment holding a fence": r"^%%\n(?!##)(?:(?!%%).*\n)*```(?:.*\n)+?```\n%%$",
    "comment never closed": r"^%%\n(?:(?!.*%%).*\n)+\Z",
    "HTML comment": r"<!-- .* -->",
    "HTML block": r"^<div",
    "details": r"^<details>",
    "table": r"^\|[ :-]+\|[-: |]+\|$",
    "table right below a heading": r"^## .*\n\|",
    "table cell with an escaped bar": r"^\|.* \\\| .*\|$",
    "list indented by tabs": r"^\t{10}- ",
    "list indented by blanks": r"^ {4,}- ",
    "ordered list inside a list": r"^\t+1\. ",
    "rule of dashes": r"\n\n---\n\n",
    "rule of stars": r"^\*\*\*$",
    "indented code": r"\n\n    \w.*\n    \w",
    "tilde fence": r"^~~~\w",
    "longer fence around a fence": r"^~~~~\w+\n```",
    "fence in a list": r"^   ```\w",
    "fence in a quote": r"^   > ```\w",
    "fence never closed": r"```text\n(?:(?!```)[\s\S])*\Z",
    "Templater command": r"<% .* %>",
    "Templater script": r"^<%\*",
    "template date": r"\{\{date:",
    "Kanban note": r"^kanban-plugin: ",
    "Kanban archive": r"^\*\*\*\n\n## Archive$",
    "Kanban settings": r"^%% kanban:settings\n",
    "Excalidraw note": r"^excalidraw-plugin: ",
    "Excalidraw text": r"^## Text Elements\n.* \^\w{8}$",
    "Excalidraw drawing": r"^%%\n## Drawing\n```compressed-json$",
}
CALLOUTS = "abstract attention bug caution check danger example failure faq help important info note question quote"
CALLOUTS += " success summary tip todo warning"
FENCES = "base bash button compressed-json dataview dataviewjs diff dockerfile go ini javascript json markdown mermaid"
FENCES += " python query rust sh sql tasks text toml ts yaml"
SYNTAX = (
    FRONT_MATTER
    | LINKS
    | INLINE
    | BLOCKS
    | {f"callout type {kind}": rf"(?i)^(?:> )+\[!{kind}[\]|]" for kind in CALLOUTS.split()}
    | {f"fence {language}": rf"^[ >]*(?:```|~~~+){language}$" for language in FENCES.split()}
    | {f"task {bullet}": rf"^{re.escape(bullet)} \[.\] " for bullet in ("-", "*", "+", "1.", "2)")}
    | {f"task state {state!r}": rf"^- \[{re.escape(state)}\] " for state in ' xX/->!<?*"lbiSpc'}
)


def notes() -> dict[str, str]:
    """Return vault-relative path -> text, line ends and BOM as on disk, of all Markdown files."""
    return {
        path.relative_to(VAULT).as_posix(): path.read_bytes().decode("utf-8") for path in sorted(VAULT.rglob("*.md"))
    }


NOTES = notes()
ENTRIES = [json.loads(line) for line in QUERIES.read_text("utf-8").splitlines()]


def is_korean(text: str) -> bool:
    """Tell whether Hangul makes up a third or more of the letters, in at least a hundred of them."""
    letters = [c for c in text if c.isalpha()]
    hangul = [c for c in letters if "가" <= c <= "힣"]
    return len(hangul) >= 100 and 3 * len(hangul) >= len(letters)


def shares_title_word(query: str, path: str) -> bool:
    """Tell whether the query holds a word of the note's name, compared by four letters because of endings."""
    words = re.findall(r"[^\W\d_]{2,}", Path(path).stem.casefold())
    return any(word[:4] in query.casefold() for word in words if word not in {"the", "in", "on", "to", "for", "with"})


def without_code(text: str) -> str:
    """Drop fences and code spans, in which brackets are no links."""
    text = re.sub(r"^[ >]*(`{3,}|~{3,}).*\n[\s\S]*?(?:^[ >]*\1$|\Z)", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]+`", "", text)


@pytest.mark.parametrize("name", SYNTAX)
def test_syntax_is_shown(name: str) -> None:
    pattern = re.compile(SYNTAX[name], re.MULTILINE)
    assert any(pattern.search(text) for text in NOTES.values()), f"no note shows: {name}"


def test_a_pattern_can_miss() -> None:
    assert not any(re.search(SYNTAX["callout type bug"], text, re.MULTILINE) for text in ("[!bug]", "> [!bugs]"))


def test_there_are_enough_notes_in_both_languages() -> None:
    korean = [path for path, text in NOTES.items() if is_korean(text)]
    assert len(NOTES) >= 40
    assert len(korean) >= 15
    assert len(NOTES) - len(korean) >= 15


def test_most_notes_have_substance() -> None:
    assert sum(len(text) >= 500 for text in NOTES.values()) >= 40


def test_files_of_odd_bytes_kept_them() -> None:
    assert NOTES["Vault/Empty.md"] == ""
    assert NOTES["Vault/Title only.md"] == "# Title only\n"
    assert NOTES["Vault/Exported from phone.md"].startswith("\ufeff---\n")
    crlf = NOTES["Vault/From the old laptop.md"]
    assert crlf.count("\r\n") == crlf.count("\n") > 10
    assert not [path for path, text in NOTES.items() if "\r" in text and path != "Vault/From the old laptop.md"]


def test_names_hold_blanks_emoji_and_hangul_and_suit_every_system() -> None:
    paths = [path.relative_to(VAULT).as_posix() for path in VAULT.rglob("*")]
    assert any(" " in path for path in paths)
    assert any("🍜" in path for path in paths)
    assert any("회의록" in path for path in paths)
    for path in paths:
        assert unicodedata.is_normalized("NFC", path)
        for part in path.split("/"):
            assert not re.search(r'[<>:"\\|?*\x00-\x1f]|[. ]$', part), path
            assert part.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT1"}, path
    assert len({path.casefold() for path in paths}) == len(paths)


def test_other_files() -> None:
    canvas = json.loads((VAULT / "Projects/Weekend ideas.canvas").read_text("utf-8"))
    assert {node["type"] for node in canvas["nodes"]} == {"text", "file", "link", "group"}
    assert any("label" in edge for edge in canvas["edges"])
    assert all((VAULT / node["file"]).is_file() for node in canvas["nodes"] if node["type"] == "file")
    assert "views:" in (VAULT / "Projects/Reading list.base").read_text("utf-8")
    attachments = list((VAULT / "attachments").iterdir())
    assert {path.suffix for path in attachments} >= {".png", ".pdf", ".wav"}
    assert all(path.stat().st_size <= 1024 for path in attachments)


def test_vault_settings() -> None:
    folder = VAULT / ".obsidian"
    assert {path.name for path in folder.iterdir()} == {"app.json", "daily-notes.json", "templates.json"}
    daily = json.loads((folder / "daily-notes.json").read_text("utf-8"))
    assert daily["format"] == "YYYY-MM-DD"
    assert sum(path.startswith(daily["folder"] + "/") for path in NOTES) >= 3
    templates = json.loads((folder / "templates.json").read_text("utf-8"))["folder"]
    assert any(path.startswith(templates + "/") for path in NOTES)
    literal, regex = json.loads((folder / "app.json").read_text("utf-8"))["userIgnoreFilters"]
    assert any(path.startswith(literal) for path in NOTES)
    assert any(re.search(regex[1:-1], path) for path in NOTES)


def test_every_link_reaches_a_file() -> None:
    names = {path.name.casefold() for path in VAULT.rglob("*") if path.is_file()}
    for path, text in NOTES.items():
        for target in re.findall(r"\[\[([^\]|#\n]+)", without_code(text)):
            name = target.rstrip("\\").strip().rpartition("/")[2]
            known = {name.casefold(), f"{name}.md".casefold()} & names
            daily = re.fullmatch(r"\d{4}-\d\d-\d\d", name)
            assert known or daily or name in UNRESOLVED, f"{path}: [[{target}]]"


def test_home_leads_to_nearly_every_note() -> None:
    home = NOTES["Home.md"]
    folders = ("Coffee/", "Garden/", "Dev/", "요리/", "회의록/", "책/", "산행/", "건강/", "여행/", "생활/")
    missing = [path for path in NOTES if path.startswith(folders) and f"[[{Path(path).stem}" not in home]
    assert missing == []


def test_queries_are_well_formed() -> None:
    assert len(ENTRIES) >= 40
    assert len({entry["_id"] for entry in ENTRIES}) == len(ENTRIES)
    assert all(set(entry) == {"_id", "text", "expects"} for entry in ENTRIES)
    korean = [entry for entry in ENTRIES if re.search("[가-힣]", entry["text"])]
    assert abs(2 * len(korean) - len(ENTRIES)) <= 4


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["_id"])
def test_the_expected_note_exists_and_is_not_ignored(entry: dict[str, str]) -> None:
    assert (VAULT / entry["expects"]).is_file()
    assert not entry["expects"].startswith(("Archive/", "Templates/", "."))


def test_half_of_the_queries_share_no_word_with_the_title() -> None:
    free = [entry for entry in ENTRIES if not shares_title_word(entry["text"], entry["expects"])]
    assert 2 * len(free) >= len(ENTRIES)


def test_words_that_must_stay_unfound_are_in_the_vault() -> None:
    """The ignored and commented-out parts hold a phrase of their own, so that a search for it can be checked."""
    assert "zeppelin museum" in NOTES["Archive/old import/2019 blog.md"]
    assert [path for path, text in NOTES.items() if "자주색 기린" in text] == ["Vault/Not front matter.md"]


def test_block_ids_use_the_characters_the_application_allows() -> None:
    for path, text in NOTES.items():
        ids = re.findall(r"(?:^|\s)\^([^\s\[]+)\r?$", without_code(text), re.MULTILINE)
        assert [name for name in ids if not re.fullmatch(r"[A-Za-z0-9-]+", name)] == [], path
