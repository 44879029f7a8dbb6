"""`parse NOTE --json` on a note that uses everything: each key, to the last value, as the real program prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import main

RICH = """\
---
title: Ardea
aliases: [Grey one, "Reiher"]
tags: [Bird/Heron, 새]
description: A bird that waits.
seen: 2026-02-30
at: 12:30
done: yes
count: 3
ratio: 0.5
flag: true
nothing:
nested: {a: [1, null]}
about: "[[Pond#Fish]]"
refs: ["[[Nowhere]]", plain]
---
Intro with #wading and [[Pond|the pond]], see [[Pond#Fish#Trout]], [[pond#^deep]] and [[#Log]].

# Heron

A line of its own. ^first

![[map.png|300]] ![[Pond]] [text](Sub/Far%20away.md#End) [web](https://example.org) [[Lost]]

> [!Tip]- Watch *out*
> Keep still.

## Log

- [ ] count nests
- [x] buy boots 📅 2026-01-01
- [-] paint

Mood:: calm
(size:: 90 cm) and [size:: 80 cm]

| Day | Fish |
|---|---|
| Mon | two |

Cut %%hidden #secret%% here.[^1]

[^1]: A footnote.

```python
print("#no-tag [[no link]]"[:7])
```
"""
POND = "# Pond\n\n## Fish\n\n### Trout\n\nOne.\n\n## Reeds\n\nDeep water. ^deep\n"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    root = tmp_path / "vault"
    (root / ".obsidian").mkdir(parents=True)
    (root / "Sub").mkdir()
    (root / "Heron.md").write_text(RICH, "utf-8")
    (root / "Pond.md").write_text(POND, "utf-8")
    (root / "Sub/Far away.md").write_text("# Start\n\n# End\n\nLast.\n", "utf-8")
    (root / "map.png").write_bytes(b"png")
    return root


def parse(vault: Path, capsys: pytest.CaptureFixture[str], *notes: str) -> list[dict[str, Any]]:
    code = main.main(
        ["--vault", str(vault), "--data-dir", str(vault.parent / "data"), "--model", "fake", "parse", *notes, "--json"]
    )
    out = capsys.readouterr().out
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def shown(vault: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (parsed,) = parse(vault, capsys, "Heron.md")
    return parsed


def link(target: str, line: int, **others: object) -> dict[str, object]:
    plain = {"heading": None, "block": None, "display": None, "embed": False, "resolved": None, "resolved_lines": None}
    return {"target": target, "line": line, **plain, **others}


def test_the_note_itself(shown: dict[str, Any]) -> None:
    assert {key: shown[key] for key in ("path", "title", "aliases", "tags", "kind", "warnings")} == {
        "path": "Heron.md",
        "title": "Heron",
        "aliases": ["Grey one", "Reiher"],
        "tags": ["Bird/Heron", "새", "wading", "secret"],
        "kind": "markdown",
        "warnings": [],
    }


def test_properties_are_as_written(shown: dict[str, Any]) -> None:
    assert shown["properties"] == {
        "title": "Ardea",
        "aliases": ["Grey one", "Reiher"],
        "tags": ["Bird/Heron", "새"],
        "description": "A bird that waits.",
        "seen": "2026-02-30",
        "at": "12:30",
        "done": "yes",
        "count": 3,
        "ratio": 0.5,
        "flag": True,
        "nothing": None,
        "nested": {"a": [1, None]},
        "about": "[[Pond#Fish]]",
        "refs": ["[[Nowhere]]", "plain"],
    }
    assert shown["property_links"] == [
        {"key": "about", "target": "Pond", "heading": "Fish"},
        {"key": "refs.0", "target": "Nowhere", "heading": None},
    ]


def test_links_are_resolved_down_to_their_lines(shown: dict[str, Any]) -> None:
    assert shown["links"] == [
        link("Pond", 17, display="the pond", resolved="Pond.md"),
        link("Pond", 17, heading="Fish#Trout", resolved="Pond.md", resolved_lines=[5, 8]),
        link("pond", 17, block="deep", resolved="Pond.md", resolved_lines=[11, 11]),
        link("", 17, heading="Log", resolved="Heron.md", resolved_lines=[28, 47]),
        link("map.png", 23, embed=True, resolved="map.png"),
        link("Pond", 23, embed=True, resolved="Pond.md"),
        link("Sub/Far away", 23, heading="End", display="text", resolved="Sub/Far away.md", resolved_lines=[3, 5]),
        link("Lost", 23),
    ]


def test_structure(shown: dict[str, Any]) -> None:
    assert shown["headings"] == [
        {"level": 1, "text": "Heron", "line": 19},
        {"level": 2, "text": "Log", "line": 28},
    ]
    assert shown["blocks"] == {"first": [21, 21]}
    assert shown["tasks"] == [
        {"status": " ", "text": "count nests", "line": 30},
        {"status": "x", "text": "buy boots 📅 2026-01-01", "line": 31},
        {"status": "-", "text": "paint", "line": 32},
    ]
    assert shown["callouts"] == [{"type": "tip", "title": "Watch out", "line": 25}]
    assert shown["inline_fields"] == {"Mood": ["calm"], "size": ["90 cm", "80 cm"]}


def test_chunks_say_what_the_model_reads(shown: dict[str, Any]) -> None:
    for chunk in shown["chunks"]:
        assert list(chunk) == ["headings", "start_line", "end_line", "text", "embedded_text", "n_tokens"]
    read = "\n".join(chunk["embedded_text"] for chunk in shown["chunks"])
    for wanted in (
        "Heron",
        "Ardea",
        "Grey one",
        "A bird that waits.",
        "Watch out",
        "Fish: two",
        "A footnote.",
        "python",
        "calm",
    ):
        assert wanted in read
    for unwanted in ("[[Pond", "^first", "%%", "secret", "2026-02-30", "example.org", "300"):
        assert unwanted not in read
    assert shown["chunks"][0]["start_line"] == 17
    assert shown["chunks"][-1]["end_line"] == 47


def test_many_notes_share_what_they_need(vault: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    from obsidian_indexer.sync import inspect

    walks = 0
    list_attachments = inspect.list_attachments

    def counted(root: Path, *, follow_symlinks: bool) -> Any:
        nonlocal walks
        walks += 1
        return list_attachments(root, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(inspect, "list_attachments", counted)
    names = [f"n{number}.md" for number in range(40)]
    for name in names:
        (vault / name).write_text("[[Pond#Fish]] and [[Heron]]\n", "utf-8")
    parsed = parse(vault, capsys, *names)
    assert [note["path"] for note in parsed] == names
    assert all(note["links"][0]["resolved_lines"] == [3, 8] for note in parsed)
    assert walks == 1
