"""Links that open Obsidian: everything encoded, headings in the form Obsidian looks them up."""

from __future__ import annotations

import pytest

from obsidian_indexer.vault.uri import obsidian_uri


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "obsidian://open?vault=My%20Vault&file=a%2Fb%20c.md"),
        ({"heading": "One"}, "obsidian://open?vault=My%20Vault&file=a%2Fb%20c.md%23One"),
        ({"heading": "One#Two"}, "obsidian://open?vault=My%20Vault&file=a%2Fb%20c.md%23One%23Two"),
        ({"heading": ("C#", "Two")}, "obsidian://open?vault=My%20Vault&file=a%2Fb%20c.md%23C%23Two"),
        (
            {"heading": r"a: b|c ^d \e %%f%% [[g]]"},
            "obsidian://open?vault=My%20Vault&file=a%2Fb%20c.md%23a%20b%20c%20d%20e%20f%20g",
        ),
        ({"block": "id-1"}, "obsidian://open?vault=My%20Vault&file=a%2Fb%20c.md%23%5Eid-1"),
        ({"block": "^id-1"}, "obsidian://open?vault=My%20Vault&file=a%2Fb%20c.md%23%5Eid-1"),
        ({"line": 12}, "obsidian://open?vault=My%20Vault&file=a%2Fb%20c.md"),
        (
            {"line": 12, "advanced": True},
            "obsidian://adv-uri?vault=My%20Vault&filepath=a%2Fb%20c.md&line=12&column=1",
        ),
        (
            {"heading": "One#Two & more", "advanced": True},
            "obsidian://adv-uri?vault=My%20Vault&filepath=a%2Fb%20c.md&heading=Two%20%26%20more",
        ),
        ({"block": "^x", "advanced": True}, "obsidian://adv-uri?vault=My%20Vault&filepath=a%2Fb%20c.md&block=x"),
    ],
)
def test_forms(arguments: dict[str, object], expected: str) -> None:
    assert obsidian_uri("My Vault", "a/b c.md", **arguments) == expected  # type: ignore[arg-type]


def test_korean_and_signs_are_encoded() -> None:
    assert obsidian_uri("보관함", "a&b=c+d?.md") == (
        "obsidian://open?vault=%EB%B3%B4%EA%B4%80%ED%95%A8&file=a%26b%3Dc%2Bd%3F.md"
    )


def test_a_name_that_is_no_text_keeps_its_bytes() -> None:
    assert obsidian_uri("v", "\udcff.md") == "obsidian://open?vault=v&file=%FF.md"


def test_a_lone_surrogate_does_not_raise() -> None:
    assert obsidian_uri("v", "a.md", heading="\ud800x").startswith("obsidian://open?vault=v&file=a.md%23")
