"""Parsing: the text of one file of the vault to a Note that agrees with Obsidian."""

from obsidian_indexer.vault.parse.note import parse_text

__all__ = ["parse_text"]
